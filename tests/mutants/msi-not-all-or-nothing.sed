# src/ioctl/ioctl_2011.c: the good eventfds of a bad array are taken
s/ret = valid_eventfd(fds\[i\]) ? 0 : -EINVAL;/if (!valid_eventfd(fds[i])) { fds[i] = -1; set_irqs(dev, \&set); ret = -EINVAL; }/
