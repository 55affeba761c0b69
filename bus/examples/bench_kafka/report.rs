//! What was measured, and how it is told.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use crate::threads::Threads;

/// One measurement.
#[derive(Debug, Clone)]
pub struct Measured {
    /// Megabytes of bodies a second.
    pub rate: f64,
    /// CPU seconds by thread.
    pub cpu: BTreeMap<String, f64>,
}

impl Measured {
    /// Of so many bytes since `began`; CPU time since `before`. Call it while all threads are still there.
    pub fn new(bytes: usize, began: Instant, before: &Threads) -> Measured {
        Measured { rate: bytes as f64 / 1e6 / began.elapsed().as_secs_f64(), cpu: before.since() }
    }
}

/// The measurements with one codec: bare consumer, member, bare producer, publishes.
pub struct Report {
    codec: String,
    records: usize,
    sides: [Vec<Measured>; 4],
    kcat: Vec<f64>,
}

const SIDES: [&str; 4] = [
    "bare rdkafka consumer loop",
    "read by a member",
    "bare rdkafka producer loop, acks=all, no transaction",
    "publish and cover, 1,000 × 10 KB a transaction",
];

impl Report {
    pub fn new(codec: &str, records: usize) -> Report {
        Report { codec: codec.into(), records, sides: Default::default(), kcat: Vec::new() }
    }

    pub fn read(&mut self, measured: [Measured; 2], kcat: Option<f64>) {
        for (side, measured) in self.sides[..2].iter_mut().zip(measured) {
            side.push(measured);
        }
        self.kcat.extend(kcat);
    }

    pub fn wrote(&mut self, measured: [Measured; 2]) {
        for (side, measured) in self.sides[2..].iter_mut().zip(measured) {
            side.push(measured);
        }
    }

    /// Prints it; true when the goals are met.
    pub fn print(&self) -> bool {
        println!("\n{:<54}{:>7}   {:<18}goal", self.codec, "MB/s", "ratio");
        let mut good = true;
        if !self.sides[0].is_empty() {
            self.alone(0);
            match self.kcat.is_empty() {
                false => println!("{:<54}{:>7.0}", "kcat -C, whole process", median(self.kcat.iter().copied())),
                true => println!("not run: kcat: it is not installed"),
            }
            good &= self.beside(1, 0.95);
        }
        if !self.sides[2].is_empty() {
            self.alone(2);
            good &= self.beside(3, 0.8);
        }
        println!("where the time goes, CPU-µs a record:");
        for (name, side) in SIDES.iter().zip(&self.sides).filter(|(_, side)| !side.is_empty()) {
            println!("  {name:<52}{}", self.parts(side));
        }
        good
    }

    fn rate(&self, side: usize) -> f64 {
        median(self.sides[side].iter().map(|m| m.rate))
    }

    fn alone(&self, side: usize) {
        println!("{:<54}{:>7.0}", SIDES[side], self.rate(side));
    }

    /// A side beside the one before it: within a round, so that whatever else the machine did met both.
    fn beside(&self, side: usize, goal: f64) -> bool {
        let pairs = self.sides[side].iter().zip(&self.sides[side - 1]);
        let ratio = median(pairs.map(|(own, peer)| own.rate / peer.rate));
        let met = if ratio >= goal { "met" } else { "MISSED" };
        let told = format!("{ratio:.2} of bare loop");
        println!("{:<54}{:>7.0}   {told:<18}≥ {goal} {met}", SIDES[side], self.rate(side));
        ratio >= goal
    }

    fn parts(&self, side: &[Measured]) -> String {
        let names: BTreeSet<&String> = side.iter().flat_map(|m| m.cpu.keys()).collect();
        let part = |name: &String| {
            let cpu = median(side.iter().map(|m| m.cpu.get(name).copied().unwrap_or(0.0)));
            (cpu * 1e6 / self.records as f64, name.clone())
        };
        let mut parts: Vec<_> = names.into_iter().map(part).filter(|(cpu, _)| *cpu >= 0.1).collect();
        parts.sort_by(|a, b| b.0.total_cmp(&a.0));
        parts.into_iter().map(|(cpu, name)| format!("{name} {cpu:.1}")).collect::<Vec<_>>().join(", ")
    }
}

/// Median; of an even number the upper one of the middle two.
pub fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}
