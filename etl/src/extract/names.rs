//! Names of elements, each looked up once a page: finding a name among those that html5ever knows takes a keyed hash.

use html5ever::LocalName;

/// Places for names; a page has some thirty.
const PLACES: usize = 64;

/// Names that were met on a page.
pub struct Names([Option<LocalName>; PLACES]);

impl Default for Names {
    fn default() -> Names {
        Names([const { None }; PLACES])
    }
}

impl Names {
    /// The name, which is in lower case.
    pub fn local(&mut self, name: &str) -> LocalName {
        let bytes = name.as_bytes();
        let (first, last) = (bytes.first().copied().unwrap_or(0), bytes.last().copied().unwrap_or(0));
        // names are short and differ in these; two that do not take turns
        let place = usize::from(first) * 5 + usize::from(last) * 3 + bytes.len() * 7;
        match &mut self.0[place % PLACES] {
            Some(known) if **known == *name => known.clone(),
            other => other.insert(name.into()).clone(),
        }
    }
}
