# src/ioctl/ioctl_2011.c: the size of a path forgets the NUL
s/strlen(dt->path) + 1;/strlen(dt->path);/
