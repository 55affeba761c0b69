//! The executable `spider`.

fn main() -> std::process::ExitCode {
    program::main::<spider::Cli>()
}
