//! CPU time by thread, and of the broker.

use std::collections::BTreeMap;

/// CPU seconds so far.
#[derive(Debug, Clone, Default)]
pub struct Threads {
    /// Of this process's threads, by thread id, with their names.
    own: BTreeMap<String, (String, f64)>,
    broker: Option<(u32, f64)>,
}

impl Threads {
    /// As it stands. Times of threads are in nanoseconds, that of the broker in hundredths of a second (proc(5)).
    pub fn now(broker: Option<u32>) -> Threads {
        let mut own = BTreeMap::new();
        for task in std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten() {
            let read = |name: &str| std::fs::read_to_string(task.path().join(name)).unwrap_or_default();
            let cpu = read("schedstat").split_whitespace().next().and_then(|ns| ns.parse::<f64>().ok());
            let id = task.file_name().to_string_lossy().into_owned();
            let name =
                if id == std::process::id().to_string() { "main".into() } else { read("comm").trim().to_owned() };
            own.insert(id, (name, cpu.unwrap_or(0.0) / 1e9));
        }
        Threads { own, broker: broker.map(|pid| (pid, of_process(pid))) }
    }

    /// What was spent since then, by name; librdkafka's threads are one.
    pub fn since(&self) -> BTreeMap<String, f64> {
        let now = Threads::now(self.broker.map(|(pid, _)| pid));
        let mut spent = BTreeMap::new();
        for (id, (name, cpu)) in &now.own {
            let before = self.own.get(id).map_or(0.0, |(_, cpu)| *cpu);
            let name = if name.starts_with("rdk:") { "librdkafka" } else { name };
            *spent.entry(name.to_owned()).or_default() += cpu - before;
        }
        if let (Some((_, before)), Some((_, after))) = (self.broker, now.broker) {
            spent.insert("broker".into(), after - before);
        }
        spent
    }
}

/// CPU seconds of a process, user and system.
fn of_process(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    let Some((_, rest)) = stat.rsplit_once(')') else { return 0.0 };
    // the first after the name is field 3; utime and stime are 14 and 15
    rest.split_whitespace().skip(11).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}
