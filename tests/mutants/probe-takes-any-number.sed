# src/ioctl/ioctl_2011.c: any number but 1 resets
s/return arg->word ? -EINVAL : dfd/return dfd/
