# src/ioctl/ioctl_vfio.c: SET_IRQS does not check that the data fits argsz
/argsz - sizeof(\*set)/{N;d;}
