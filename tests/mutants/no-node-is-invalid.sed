# src/ioctl/ioctl_2011.c: a device without a node answers EINVAL, not ENOENT
s/-ENOENT/-EINVAL/
