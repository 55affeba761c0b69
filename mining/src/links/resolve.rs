//! Where a link ends: redirects are followed until an archived page, an answer that is no redirect, or nothing known.

/// The newest answer of a URL.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// When, in microseconds since 1970 UTC.
    pub at: i64,
    /// Which record.
    pub record: u128,
    /// HTTP status; none when there was no response.
    pub status: Option<i64>,
    /// Class of failure.
    pub error: Option<Box<str>>,
    /// Number of the URL that it redirects to.
    pub redirect: Option<u32>,
}

impl Answer {
    /// The target was asked for and could not be had. What was not asked for, because robots.txt or an address check
    /// forbade it, may well be there.
    pub fn is_broken(&self) -> bool {
        let refused = matches!(self.error.as_deref(), Some("robots" | "blocked_address"));
        !refused && (self.error.is_some() || self.status.is_some_and(|status| status >= 400))
    }
}

/// Redirects that are followed before it is given up; a spider follows 10.
pub const MOST_HOPS: usize = 20;

/// Number of the URL at which a link to `number` ends. Pages are the numbers below `pages`. A chain that turns in
/// circles ends somewhere on the circle, at no page.
pub fn end(number: u32, pages: usize, answers: &[Option<Answer>]) -> u32 {
    chain(number, pages, answers).0
}

/// The same, with the number of redirects on the way.
pub fn chain(number: u32, pages: usize, answers: &[Option<Answer>]) -> (u32, u32) {
    let (mut at, mut hops) = (number, 0);
    while (hops as usize) < MOST_HOPS {
        let next = answers[at as usize].as_ref().and_then(|answer| answer.redirect);
        match next {
            Some(next) if at as usize >= pages => at = next,
            _ => break,
        }
        hops += 1;
    }
    (at, hops)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: i64, redirect: Option<u32>) -> Option<Answer> {
        Some(Answer { at: 0, record: 0, status: Some(status), error: None, redirect })
    }

    #[test]
    fn chains_end_at_pages_at_answers_and_at_the_unknown() {
        // 0 and 1 are pages (1 was moved later, and still is a page); 2 → 3 → 0; 4 → 5, which is gone; 6 ↔ 7; 8 unknown.
        let answers = [
            answer(200, None),
            answer(301, Some(0)),
            answer(301, Some(3)),
            answer(302, Some(0)),
            answer(308, Some(5)),
            answer(404, None),
            answer(302, Some(7)),
            answer(302, Some(6)),
            None,
        ];
        let end = |number| end(number, 2, &answers);
        assert_eq!([end(0), end(1), end(2), end(3), end(4), end(8)], [0, 1, 0, 0, 5, 8]);
        assert!(end(6) >= 6);
        assert_eq!([chain(2, 2, &answers), chain(0, 2, &answers)], [(0, 2), (0, 0)]);
        assert_eq!(chain(6, 2, &answers).1, MOST_HOPS as u32);
    }

    #[test]
    fn what_was_never_asked_for_is_not_broken() {
        let with = |status, error: Option<&str>| Answer {
            at: 0,
            record: 0,
            status,
            error: error.map(Into::into),
            redirect: None,
        };
        assert!(with(Some(404), None).is_broken() && with(Some(500), None).is_broken());
        assert!(with(None, Some("dns")).is_broken());
        assert!(!with(Some(200), None).is_broken() && !with(Some(301), None).is_broken());
        assert!(!with(None, Some("robots")).is_broken() && !with(None, Some("blocked_address")).is_broken());
    }
}
