//! The executable `etl`; everything is in the library.

use std::process::ExitCode;

fn main() -> ExitCode {
    program::main::<etl::Cli>()
}
