//! The binary `bellhop`: everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    bellhop_local::cli::main()
}
