# src/ioctl/ioctl_2011.c: -1 takes the eventfd away but leaves the interrupt on
s/arg->pair\[1\] == -1/false/
