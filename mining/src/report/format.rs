//! Numbers as people read them.

/// A count with its thousands apart: `1,234,567`.
pub fn grouped(count: i64) -> String {
    let digits = count.unsigned_abs().to_string();
    let mut text = if count < 0 { String::from("-") } else { String::new() };
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A score with four significant digits and no needless zeros; nothing for what is no number.
pub fn score(value: f64) -> String {
    if !value.is_finite() {
        return String::new();
    }
    if value == 0.0 {
        return "0".to_owned();
    }
    let magnitude = value.abs().log10().floor() as i32;
    if !(-5..6).contains(&magnitude) {
        return format!("{value:.3e}");
    }
    let text = format!("{value:.*}", usize::try_from(3 - magnitude).unwrap_or(0));
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thousands_stand_apart() {
        let pairs = [
            (0, "0"),
            (999, "999"),
            (1000, "1,000"),
            (-1_234_567, "-1,234,567"),
            (i64::MIN, "-9,223,372,036,854,775,808"),
        ];
        for (count, wanted) in pairs {
            assert_eq!(grouped(count), wanted);
        }
    }

    #[test]
    fn scores_have_four_digits() {
        let pairs = [
            (0.0, "0"),
            (1.0, "1"),
            (12.5, "12.5"),
            (0.001_234_56, "0.001235"),
            (123_456.0, "123456"),
            (1e-9, "1.000e-9"),
        ];
        for (value, wanted) in pairs {
            assert_eq!(score(value), wanted);
        }
        assert_eq!(score(f64::NAN), "");
    }
}
