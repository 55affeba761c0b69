//! chaos
#[derive(Debug, clap::Args)]
/// x
pub(crate) struct Chaos {}
impl Chaos {
    pub(crate) fn run(&self) -> anyhow::Result<u8> {
        Ok(0)
    }
}
