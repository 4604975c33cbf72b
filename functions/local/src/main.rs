//! The binary `bellhop`: everything is in the library.

use std::process::ExitCode;

use mimalloc::MiMalloc;

/// A seventh of `serve`'s time went into the C library's allocator.
#[global_allocator]
static ALLOCATOR: MiMalloc = MiMalloc;

fn main() -> ExitCode {
    bellhop_local::cli::main()
}
