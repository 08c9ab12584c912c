"""Background work: plain handlers, and the two engines that call them."""
