# src/ioctl/ioctl_2011.c: -1 takes the eventfd away but leaves the interrupt on
s/fd == -1 ? disable(dev, set.index) : //
