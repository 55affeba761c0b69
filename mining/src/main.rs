//! The executable `mine`; all of it is in the library.

fn main() -> std::process::ExitCode {
    program::main::<mining::Cli>()
}
