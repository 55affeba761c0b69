//! `cargo xtask`: the workspace's own chores; all of it is in the library.

fn main() -> std::process::ExitCode {
    xtask::main()
}
