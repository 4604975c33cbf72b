//! Fakes, builders, one contract suite per port, the crash-point harness
