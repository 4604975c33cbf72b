//! The binary bellhop: the same libraries on the embedded store, and the command line
