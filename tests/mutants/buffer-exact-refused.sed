# src/ioctl/ioctl_2011.c: a buffer that is just large enough is refused
s/if (room < size)/if (room <= size)/
