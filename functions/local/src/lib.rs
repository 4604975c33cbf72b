//! The binary `bellhop`: the same libraries on the embedded store, and the command line

mod case;
pub mod dry_run;
pub mod verdict;
