# src/ioctl/ioctl_2011.c: the probe promises what a device without reset cannot do
s/|| !(flags \& DFD_DEVICE_RESET)//; s/if (!(flags \& DFD_DEVICE_PCI) )/if (0)/
