//! Progress: a bar or a counter on a terminal, nothing elsewhere.

/// Progress of one piece of work.
pub struct Progress;

impl Progress {
    /// `total` in `unit`s when it is known. Draws only when standard error is a terminal and neither -q nor JSON logs are set.
    pub fn new(_what: &str, _unit: &str, _total: Option<u64>) -> Progress {
        todo!()
    }

    /// Adds to what is done.
    pub fn add(&self, _n: u64) {
        todo!()
    }

    /// Short text behind the bar.
    pub fn say(&self, _text: &str) {
        todo!()
    }

    /// Removes the bar.
    pub fn finish(&self) {
        todo!()
    }
}
