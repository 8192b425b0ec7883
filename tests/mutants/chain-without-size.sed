# src/ioctl/ioctl_vfio.c: argsz is not raised where the chain does not fit
/\*argsz = start + c.len;/d
