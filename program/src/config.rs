//! The configuration file `kafkaspider.toml`, read into a flat list of entries with their lines.
//!
//! Shared keys stand at the top, each executable's own in a table of its name, those of one subcommand in a table below it:
//!
//! ```toml
//! data = "/data"
//!
//! [spider]
//! delay = 0.5
//!
//! [spider.crawl]
//! pages = 2000
//! ```

use std::fs::File as OsFile;
use std::io::{ErrorKind, Read};
use std::path::Path;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use crate::Misuse;

/// Read when no other file is named, and may be absent.
pub(crate) const DEFAULT: &str = "kafkaspider.toml";

/// A configuration file is written by hand; what is larger is some other file, named by mistake.
const LIMIT: u64 = 1 << 20;

/// A configuration file, or none: then it has no entries.
#[derive(Debug, Default)]
pub(crate) struct File {
    /// As the user named it, for messages.
    pub name: String,
    /// True when the user named it, false when it was found in the working directory.
    pub named: bool,
    /// In the order of the file.
    pub entries: Vec<Entry>,
    /// Each table's name in parts, and its line.
    pub tables: Vec<(Vec<String>, usize)>,
}

/// One `key = value`.
#[derive(Debug, PartialEq)]
pub(crate) struct Entry {
    pub table: Vec<String>,
    pub key: String,
    pub value: Value,
    pub line: usize,
}

/// A value as far as flags tell them apart.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Value {
    Text(String),
    Number(String),
    Flag(bool),
    List(Vec<Value>),
}

impl File {
    /// Reads the file that the user named; else the one in the working directory, if there is one.
    pub fn load(named: Option<&Path>) -> Result<File, Misuse> {
        let path = named.unwrap_or(Path::new(DEFAULT));
        let name = path.display().to_string();
        let refuse = |error: std::io::Error| Misuse::new(format!("cannot read configuration file {name}: {error}"));
        let file = match OsFile::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound && named.is_none() => return Ok(File::default()),
            Err(error) => return Err(refuse(error)),
        };
        let mut bytes = Vec::new();
        file.take(LIMIT + 1).read_to_end(&mut bytes).map_err(refuse)?;
        if bytes.len() as u64 > LIMIT {
            return Err(Misuse::new(format!("{name} is larger than 1 MiB, so it is no configuration file")));
        }
        let text =
            String::from_utf8(bytes).map_err(|_| Misuse::new(format!("configuration file {name} is not UTF-8")))?;
        File::parse(name, &text).map(|file| File { named: named.is_some(), ..file })
    }

    /// `name` is for messages.
    pub fn parse(name: String, text: &str) -> Result<File, Misuse> {
        let table = DeTable::parse(text).map_err(|error| {
            let line = error.span().map_or(1, |span| line_of(text, span.start));
            Misuse::new(format!("{name}:{line}: {}", error.message()))
        })?;
        let mut file = File { name, ..File::default() };
        file.flatten(text, &[], table.get_ref())?;
        file.entries.sort_by_key(|entry| entry.line);
        file.tables.sort_by_key(|(_, line)| *line);
        Ok(file)
    }

    fn flatten(&mut self, text: &str, path: &[String], table: &DeTable<'_>) -> Result<(), Misuse> {
        for (key, value) in table {
            let line = line_of(text, key.span().start);
            let key = key.get_ref().to_string();
            if let DeValue::Table(inner) = value.get_ref() {
                let path = [path, &[key]].concat();
                self.tables.push((path.clone(), line));
                self.flatten(text, &path, inner)?;
            } else {
                let Some(value) = Value::of(value) else {
                    return Err(Misuse::new(format!("{}:{line}: {key}: a table cannot stand in a list", self.name)));
                };
                self.entries.push(Entry { table: path.to_vec(), key, value, line });
            }
        }
        Ok(())
    }
}

impl Value {
    fn of(value: &Spanned<DeValue<'_>>) -> Option<Value> {
        Some(match value.get_ref() {
            DeValue::String(text) => Value::Text(text.to_string()),
            DeValue::Datetime(time) => Value::Text(time.to_string()),
            DeValue::Boolean(flag) => Value::Flag(*flag),
            DeValue::Float(number) => Value::Number(number.as_str().to_owned()),
            DeValue::Integer(number) => match i128::from_str_radix(number.as_str(), number.radix()) {
                Ok(number) => Value::Number(number.to_string()),
                // Far beyond what any flag takes; the flag's own parser says so.
                Err(_) => Value::Number(number.to_string()),
            },
            DeValue::Array(values) => Value::List(values.iter().map(Value::of).collect::<Option<_>>()?),
            DeValue::Table(_) => return None,
        })
    }

    /// What it is, for messages.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Text(_) => "a string",
            Value::Number(_) => "a number",
            Value::Flag(_) => "true or false",
            Value::List(_) => "a list",
        }
    }
}

fn line_of(text: &str, at: usize) -> usize {
    text.as_bytes()[..at.min(text.len())].iter().filter(|byte| **byte == b'\n').count() + 1
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    fn parse(text: &str) -> Result<File, String> {
        File::parse("k.toml".to_owned(), text).map_err(|e| e.to_string())
    }

    #[test]
    fn entries_keep_their_table_and_line() {
        let file = parse(
            "data = 'x'\n\n[spider.crawl]\n# why\npages = 2_000\ndelay = 0.5\nlist = [\n 'a',\n 'b']\n[etl]\nday = 2026-11-21\n",
        );
        let file = file.unwrap();
        let entries: Vec<_> =
            file.entries.iter().map(|e| (e.table.join("."), e.key.as_str(), e.value.clone(), e.line)).collect();
        let text = |text: &str| Value::Text(text.to_owned());
        let crawl = || "spider.crawl".to_owned();
        assert_eq!(
            entries,
            [
                (String::new(), "data", text("x"), 1),
                (crawl(), "pages", Value::Number("2000".to_owned()), 5),
                (crawl(), "delay", Value::Number("0.5".to_owned()), 6),
                (crawl(), "list", Value::List(vec![text("a"), text("b")]), 7),
                ("etl".to_owned(), "day", text("2026-11-21"), 11),
            ]
        );
        assert!(file.tables.contains(&(vec!["etl".to_owned()], 10)));
    }

    #[test]
    fn a_damaged_file_is_refused_with_its_line_and_without_its_text() {
        let error = parse("data = 'x'\ntoken = hunter2\n").unwrap_err();
        assert!(error.starts_with("k.toml:2: ") && !error.contains("hunter2"), "{error}");
        assert!(parse("a = [{b = 1}]").unwrap_err().contains("k.toml:1: a"));
        assert!(parse("a = 1\na = 2").unwrap_err().starts_with("k.toml:2: "));
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_it_panic(text in ".{0,200}") {
            drop(parse(&text));
        }
    }
}
