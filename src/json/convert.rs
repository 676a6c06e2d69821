//! The closed catalogue of value formats that `convert` knows, each a proved pair on exact text.
//!
//! Numbers are never parsed into machine numbers except for times, which are checked for range.

use super::text::{quote, unescape};
use super::valid::{Items, Kind};

/// A pair of formats; "there" is the first towards the second.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Conversion {
    /// `7` and `"7"`.
    IntegerString,
    /// `1.10` and `"1.10"`.
    NumberString,
    /// `true` and `"true"`.
    BooleanString,
    /// `true` and `1`.
    BooleanInteger,
    /// `1999` and `"19.99"`, with this many decimals.
    MinorUnitsDecimal(usize),
    /// `1735689600` and `"2025-01-01T00:00:00Z"` (RFC 3339).
    UnixSecondsRfc3339,
    /// `1735689600123` and `"2025-01-01T00:00:00.123Z"` (RFC 3339).
    UnixMillisRfc3339,
    /// `"a,b"` and `["a","b"]`, with this separator.
    CsvArray(String),
}

/// Which way through a [`Conversion`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// From the first format to the second.
    There,
    /// From the second to the first.
    Back,
}

impl Way {
    /// The other way.
    #[must_use]
    pub fn turned(self) -> Self {
        match self {
            Self::There => Self::Back,
            Self::Back => Self::There,
        }
    }
}

impl Conversion {
    /// The formats' names in rule files.
    #[must_use]
    pub fn names(&self) -> (&'static str, &'static str) {
        match self {
            Self::IntegerString => ("integer", "string"),
            Self::NumberString => ("number", "string"),
            Self::BooleanString => ("boolean", "string"),
            Self::BooleanInteger => ("boolean", "integer"),
            Self::MinorUnitsDecimal(_) => ("minor_units", "decimal_string"),
            Self::UnixSecondsRfc3339 => ("unix_seconds", "rfc3339"),
            Self::UnixMillisRfc3339 => ("unix_millis", "rfc3339"),
            Self::CsvArray(_) => ("csv", "array"),
        }
    }

    /// The unit that a number of this format counts, where what comes out is a time.
    pub(super) fn counts(&self, way: Way) -> Option<Unit> {
        match (self, way) {
            (Self::UnixMillisRfc3339, Way::There) => Some(Unit::Millisecond),
            (Self::UnixSecondsRfc3339, Way::There) => Some(Unit::Second),
            _ => None,
        }
    }

    /// Converts a JSON text; `None` where the value cannot be expressed exactly in the other format.
    pub(crate) fn run(&self, way: Way, value: &[u8]) -> Option<Vec<u8>> {
        let kind = Kind::of(value);
        match (self, way) {
            (Self::IntegerString, Way::There) => (kind == Kind::Number && is_integer(value)).then(|| in_quotes(value)),
            (Self::IntegerString, Way::Back) => text_of(value).filter(|t| is_integer(t)),
            (Self::NumberString, Way::There) => (kind == Kind::Number).then(|| in_quotes(value)),
            (Self::NumberString, Way::Back) => text_of(value).filter(|t| is_number(t)),
            (Self::BooleanString, Way::There) => (kind == Kind::Boolean).then(|| in_quotes(value)),
            (Self::BooleanString, Way::Back) => text_of(value).filter(|t| t == b"true" || t == b"false"),
            (Self::BooleanInteger, Way::There) => {
                (kind == Kind::Boolean).then(|| if value == b"true" { b"1".to_vec() } else { b"0".to_vec() })
            }
            (Self::BooleanInteger, Way::Back) => match value {
                b"1" => Some(b"true".to_vec()),
                b"0" => Some(b"false".to_vec()),
                _ => None,
            },
            (Self::MinorUnitsDecimal(scale), Way::There) => {
                (kind == Kind::Number && is_integer(value)).then(|| to_decimal(value, *scale))
            }
            (Self::MinorUnitsDecimal(scale), Way::Back) => to_minor_units(&text_of(value)?, *scale),
            (Self::UnixSecondsRfc3339, Way::Back) => Some(parse_rfc3339(&text_of(value)?)?.0.to_string().into_bytes()),
            (Self::UnixSecondsRfc3339 | Self::UnixMillisRfc3339, Way::There) => {
                let mut time = [0; TIME];
                let len = Clock::default().write(self.counts(way)?, value, &mut time)?;
                Some(time[..len].to_vec())
            }
            (Self::UnixMillisRfc3339, Way::Back) => {
                let (seconds, millis) = parse_rfc3339(&text_of(value)?)?;
                Some((seconds * 1000 + millis).to_string().into_bytes())
            }
            (Self::CsvArray(separator), Way::There) => Some(csv_to_array(&text_of(value)?, separator)),
            (Self::CsvArray(separator), Way::Back) => array_to_csv(value, separator),
        }
    }
}

fn text_of(value: &[u8]) -> Option<Vec<u8>> {
    (Kind::of(value) == Kind::String).then(|| unescape(value).into_owned())
}

fn in_quotes(text: &[u8]) -> Vec<u8> {
    [b"\"", text, b"\""].concat()
}

/// RFC 8259 `[ minus ] int`.
fn is_integer(text: &[u8]) -> bool {
    let digits = text.strip_prefix(b"-").unwrap_or(text);
    digits == b"0" || (digits.first().is_some_and(|b| *b != b'0') && digits.iter().all(u8::is_ascii_digit))
}

/// RFC 8259 `number`.
fn is_number(text: &[u8]) -> bool {
    matches!(text.first(), Some(b'-' | b'0'..=b'9')) && {
        let mut skipper = super::scanner::Skipper::default();
        let end = skipper.run(text, 0, 0);
        end == Ok(super::scanner::Skip::More) && skipper.at_number_end()
    }
}

/// A JSON integer that fits.
#[inline]
fn integer(value: &[u8]) -> Option<i64> {
    // The times of centuries before and after this one, in milliseconds and in seconds.
    if value.first() != Some(&b'0')
        && let Some(number) = up_to_16_digits(value)
    {
        return Some(number);
    }
    any_integer(value)
}

#[inline(never)]
fn any_integer(value: &[u8]) -> Option<i64> {
    is_integer(value).then(|| std::str::from_utf8(value).ok()?.parse().ok()).flatten()
}

fn to_decimal(value: &[u8], scale: usize) -> Vec<u8> {
    let (sign, digits) = value.strip_prefix(b"-").map_or((&b""[..], value), |d| (b"-", d));
    let padded = [vec![b'0'; (scale + 1).saturating_sub(digits.len())].as_slice(), digits].concat();
    let (whole, fraction) = padded.split_at(padded.len() - scale);
    let point: &[u8] = if scale == 0 { b"" } else { b"." };
    [b"\"", sign, whole, point, fraction, b"\""].concat()
}

fn to_minor_units(text: &[u8], scale: usize) -> Option<Vec<u8>> {
    let (sign, unsigned) = text.strip_prefix(b"-").map_or((&b""[..], text), |d| (b"-", d));
    let mut parts = unsigned.splitn(2, |&b| b == b'.');
    let (whole, fraction) = (parts.next()?, parts.next());
    let decimals = fraction.unwrap_or_default();
    let well_formed = is_integer(whole)
        && !whole.starts_with(b"-")
        && decimals.iter().all(u8::is_ascii_digit)
        && fraction != Some(b"");
    let (kept, rest) = decimals.split_at(decimals.len().min(scale));
    if !well_formed || rest.iter().any(|&b| b != b'0') {
        return None;
    }
    let digits = [whole, kept, vec![b'0'; scale - kept.len()].as_slice()].concat();
    let first = digits.iter().position(|&b| b != b'0');
    Some(first.map_or_else(|| b"0".to_vec(), |at| [sign, &digits[at..]].concat()))
}

fn csv_to_array(text: &[u8], separator: &str) -> Vec<u8> {
    let mut out = b"[".to_vec();
    let mut rest = text;
    if !text.is_empty() {
        while let Some(at) = memchr::memmem::find(rest, separator.as_bytes()) {
            quote(&rest[..at], &mut out);
            out.push(b',');
            rest = &rest[at + separator.len()..];
        }
        quote(rest, &mut out);
    }
    out.push(b']');
    out
}

fn array_to_csv(value: &[u8], separator: &str) -> Option<Vec<u8>> {
    if Kind::of(value) != Kind::Array {
        return None;
    }
    let items: Vec<Vec<u8>> = Items::new(value, 0).map(|item| text_of(&value[item.value])).collect::<Option<_>>()?;
    // One empty string and no string at all would both become "".
    let ambiguous = items.len() == 1 && items[0].is_empty();
    let unsplittable = items.iter().any(|item| memchr::memmem::find(item, separator.as_bytes()).is_some());
    if ambiguous || unsplittable {
        return None;
    }
    let mut out = Vec::new();
    quote(&items.join(separator.as_bytes()), &mut out);
    Some(out)
}

const MILLIS_PER_DAY: u64 = 86_400_000;

/// The most bytes that a time has as a JSON string.
pub(super) const TIME: usize = 26;

/// What Unix time is counted in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unit {
    Second,
    Millisecond,
}

/// Writes times, many of them of one day.
#[derive(Debug)]
pub(super) struct Clock {
    /// Where the day of the last time begins, in milliseconds since the first of March of year 0.
    day: u64,
    /// A time of that day.
    text: [u8; TIME],
}

impl Default for Clock {
    fn default() -> Self {
        Self { day: u64::MAX, text: [0; TIME] }
    }
}

impl Clock {
    /// Writes the time that a JSON integer is, counted from 1970, in RFC 3339 and UTC, as a JSON string; without a fraction
    /// where that is zero. How many bytes that are; `None` outside the years 1 to 9999.
    #[inline]
    pub(super) fn write(&mut self, unit: Unit, value: &[u8], out: &mut [u8; TIME]) -> Option<usize> {
        let count = integer(value)?;
        let millis = match unit {
            Unit::Second => count.checked_mul(1000)?,
            Unit::Millisecond => count,
        };
        if self.write_millis(millis, out)? == 0 {
            out[20..22].copy_from_slice(b"Z\"");
            return Some(22);
        }
        Some(TIME)
    }

    /// Writes Unix milliseconds with three digits of a fraction; which that is.
    #[inline]
    fn write_millis(&mut self, millis: i64, out: &mut [u8; TIME]) -> Option<u32> {
        let since = since_march(millis)?;
        if !(self.day..self.day.saturating_add(MILLIS_PER_DAY)).contains(&since) {
            let day = u32::try_from(since / MILLIS_PER_DAY).ok()?;
            write_date(day, &mut self.text)?;
            self.day = u64::from(day) * MILLIS_PER_DAY;
        }
        let in_day = since - self.day;
        *out = self.text;
        Some(write_time(u32::try_from(in_day).ok()?, out))
    }
}

/// Unix milliseconds, counted from the first of March of year 0 instead.
#[inline]
fn since_march(millis: i64) -> Option<u64> {
    const MARCH: u64 = EPOCH.unsigned_abs() * MILLIS_PER_DAY;
    MARCH.checked_add_signed(millis)
}

/// Writes a day, of the years 1 to 9999, into a time.
fn write_date(day: u32, out: &mut [u8; TIME]) -> Option<()> {
    let (year, month, day) = date(day)?;
    *out = *b"\"0000-00-00T00:00:00.000Z\"";
    write_pairs([(1, year / 100), (3, year % 100), (6, month), (9, day)], out);
    Some(())
}

/// Writes the milliseconds of a day into a time, in all their digits; which fraction of a second that is.
#[inline]
fn write_time(in_day: u32, out: &mut [u8; TIME]) -> u32 {
    let (seconds, fraction) = (in_day / 1000, in_day % 1000);
    let minutes = seconds / 60;
    write_pairs([(12, minutes / 60), (15, minutes % 60), (18, seconds % 60), (22, fraction % 100)], out);
    out[21] = two_digits(fraction / 100)[1];
    fraction
}

#[inline]
fn write_pairs(pairs: [(usize, u32); 4], out: &mut [u8; TIME]) {
    for (at, number) in pairs {
        out[at..at + 2].copy_from_slice(&two_digits(number));
    }
}

/// RFC 3339 in UTC with milliseconds, as a JSON string. What is outside the years 1 to 9999 is the start of 1970.
pub(super) fn instant(millis: i64) -> [u8; TIME] {
    let mut text = *b"\"1970-01-01T00:00:00.000Z\"";
    // Nothing is written where there is no text.
    let _ = Clock::default().write_millis(millis, &mut text);
    text
}

/// Whether a text is a time as RFC 3339 has it, of the years 1 to 9999.
#[must_use]
pub fn is_instant(text: &str) -> bool {
    parse_rfc3339(text.as_bytes()).is_some()
}

/// A number below 100.
fn two_digits(number: u32) -> [u8; 2] {
    // Of a power of two, so that a mask is all that keeps it in bounds.
    const PAIRS: [[u8; 2]; 128] = {
        let mut pairs = [*b"00"; 128];
        let (mut at, mut tens) = (0, b'0');
        while tens <= b'9' {
            let mut ones = b'0';
            while ones <= b'9' {
                pairs[at] = [tens, ones];
                (at, ones) = (at + 1, ones + 1);
            }
            tens += 1;
        }
        pairs
    };
    PAIRS[number as usize % PAIRS.len()]
}

/// Days from the first of March of year 0 to 1970-01-01.
const EPOCH: i64 = 719_468;

/// The proleptic Gregorian date of a day counted from the first of March of year 0, of the years 1 to 9999 (the Euclidean
/// affine functions of Cassio Neri and Lorenz Schneider, <https://doi.org/10.1002/spe.3172>).
fn date(days: u32) -> Option<(u32, u32, u32)> {
    // Those of year 10,000 and later.
    if days >= 3_652_365 {
        return None;
    }
    let (century, in_century) = ((4 * days + 3) / 146_097, (4 * days + 3) % 146_097 / 4);
    // A product whose upper half is a quotient has the remainder in its lower half.
    let product = 2_939_745 * u64::from(4 * in_century + 3);
    let in_year = u32::try_from(product & 0xffff_ffff).ok()? / 2_939_745 / 4;
    let scaled = 2141 * in_year + 197_913;
    let (month, day) = (scaled >> 16, (scaled & 0xffff) / 2141 + 1);
    // Years end in February here.
    let is_next = month > 12;
    let year = 100 * century + u32::try_from(product >> 32).ok()? + u32::from(is_next);
    let month = if is_next { month - 12 } else { month };
    (1..=9999).contains(&year).then_some((year, month, day))
}

/// As [`date`], of a day counted from 1970-01-01.
fn civil(days: i64) -> Option<(u32, u32, u32)> {
    date(u32::try_from(days.checked_add(EPOCH)?).ok()?)
}

/// The day of a date counted from 1970-01-01, the inverse of [`civil`].
fn days_of(year: i64, month: i64, day: i64) -> i64 {
    let shifted = if month <= 2 { year - 1 } else { year };
    let (era, year_of_era) = (shifted.div_euclid(400), shifted.rem_euclid(400));
    let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
    era * 146_097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - EPOCH
}

/// Unix seconds and the milliseconds of the fraction (further digits are cut) of an RFC 3339 time.
fn parse_rfc3339(text: &[u8]) -> Option<(i64, i64)> {
    let (date_time, rest) = text.split_at_checked(19)?;
    let number = |range: std::ops::Range<usize>| -> Option<i64> { digits(date_time.get(range)?) };
    let separators = [(4, b"-"), (7, b"-"), (10, b"T"), (13, b":"), (16, b":")];
    if !separators.iter().all(|&(at, want)| date_time[at].eq_ignore_ascii_case(&want[0])) {
        return None;
    }
    let (year, month, day) = (number(0..4)?, number(5..7)?, number(8..10)?);
    let (hour, minute, second) = (number(11..13)?, number(14..16)?, number(17..19)?);
    let days = days_of(year, month, day);
    let date = civil(days).map(|(year, month, day)| (year.into(), month.into(), day.into()));
    if date != Some((year, month, day)) || hour > 23 || minute > 59 || second > 59 {
        return None;
    }
    let (millis, zone) = fraction(rest)?;
    Some((days * 86_400 + hour * 3600 + minute * 60 + second - offset(zone)?, millis))
}

fn fraction(rest: &[u8]) -> Option<(i64, &[u8])> {
    let Some(after) = rest.strip_prefix(b".") else {
        return Some((0, rest));
    };
    let len = after.iter().position(|b| !b.is_ascii_digit())?;
    let mut millis = [b'0'; 3];
    millis.iter_mut().zip(&after[..len]).for_each(|(to, from)| *to = *from);
    (len > 0).then_some((digits(&millis)?, &after[len..]))
}

/// Seconds east of UTC of `Z` or `+hh:mm`.
fn offset(zone: &[u8]) -> Option<i64> {
    match zone {
        b"Z" | b"z" => Some(0),
        [sign @ (b'+' | b'-'), h1, h2, b':', m1, m2] => {
            let seconds = digits(&[*h1, *h2])? * 3600 + digits(&[*m1, *m2])? * 60;
            Some(if *sign == b'-' { -seconds } else { seconds })
        }
        _ => None,
    }
}

/// A number of a few digits.
fn digits(text: &[u8]) -> Option<i64> {
    text.iter().try_fold(0, |number, byte| byte.is_ascii_digit().then(|| number * 10 + i64::from(byte - b'0')))
}

/// A number of 9 to 16 digits, eight at a time.
#[inline]
fn up_to_16_digits(text: &[u8]) -> Option<i64> {
    const EACH: u64 = 0x0101_0101_0101_0101;
    const ZEROS: u64 = 0x30 * EACH;
    let (9..=16, Some(first), Some(last)) = (text.len(), text.first_chunk(), text.last_chunk()) else { return None };
    // The first ones without those that are among the last eight, and zeros before them.
    let more = 8 * (16 - text.len());
    let first = (u64::from_le_bytes(*first) ^ ZEROS) << more;
    let last = u64::from_le_bytes(*last) ^ ZEROS;
    // What is no digit has something in its upper half, or is six below what has.
    if (first | first.wrapping_add(6 * EACH) | last | last.wrapping_add(6 * EACH)) & (0xf0 * EACH) != 0 {
        return None;
    }
    Some(100_000_000 * eight_digits(first) + eight_digits(last))
}

/// Eight digits, the first in the lowest byte: neighbours are added up in one word, first as tens and ones, then as
/// hundreds, then as thousands.
#[inline]
fn eight_digits(digits: u64) -> i64 {
    let pairs = digits.wrapping_mul(1 + (10 << 8)) >> 8 & 0x00ff_00ff_00ff_00ff;
    let fours = pairs.wrapping_mul(1 + (100 << 16)) >> 16 & 0x0000_ffff_0000_ffff;
    (fours.wrapping_mul(1 + (10_000 << 32)) >> 32).cast_signed()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_are_the_number_that_they_spell() {
        for text in
            ["1", "12345678", "123456789", "1735689600123", "9007199254740993", "9999999999999999", "19007199254740993"]
        {
            let spelt = text.parse().ok().filter(|_| (9..=16).contains(&text.len()));
            assert_eq!(up_to_16_digits(text.as_bytes()), spelt, "{text:?}");
            for at in 0..text.len() {
                for byte in (0..=255_u8).filter(|byte| !byte.is_ascii_digit()) {
                    let mut other = text.as_bytes().to_vec();
                    other[at] = byte;
                    assert_eq!(up_to_16_digits(&other), None, "{other:?}");
                }
            }
        }
    }

    #[test]
    fn exact_or_not_at_all() {
        use Conversion::*;
        let csv = CsvArray(",".into());
        // conversion, first format, second format; "-" where that way there is no exact text.
        let cases: &[(&Conversion, &str, &str)] = &[
            (&IntegerString, "7", r#""7""#),
            (&IntegerString, "12345678901234567890123", r#""12345678901234567890123""#),
            (&IntegerString, "1.0", "-"),
            (&IntegerString, "-", r#""02134""#),
            (&IntegerString, "-", r#""""#),
            (&NumberString, "1.10", r#""1.10""#),
            (&NumberString, "1E400", r#""1E400""#),
            (&NumberString, "-", r#""1.""#),
            (&NumberString, "-", r#"" 1""#),
            (&NumberString, "-", r#""true""#),
            (&BooleanString, "true", r#""true""#),
            (&BooleanString, "-", r#""null""#),
            (&BooleanInteger, "false", "0"),
            (&BooleanInteger, "-", "2"),
            (&MinorUnitsDecimal(2), "1999", r#""19.99""#),
            (&MinorUnitsDecimal(2), "-5", r#""-0.05""#),
            (&MinorUnitsDecimal(0), "7", r#""7""#),
            (&MinorUnitsDecimal(2), "-", r#""1.999""#),
            (&MinorUnitsDecimal(2), "-", r#""1.""#),
            (&MinorUnitsDecimal(2), "-", r#"".5""#),
            (&MinorUnitsDecimal(2), "-", r#""--1""#),
            (&UnixSecondsRfc3339, "1735689600", r#""2025-01-01T00:00:00Z""#),
            (&UnixSecondsRfc3339, "-1", r#""1969-12-31T23:59:59Z""#),
            (&UnixSecondsRfc3339, "951782400", r#""2000-02-29T00:00:00Z""#),
            (&UnixSecondsRfc3339, "253402300800", "-"),
            (&UnixSecondsRfc3339, "9223372036854775807", "-"),
            (&UnixSecondsRfc3339, "-", r#""2025-02-29T00:00:00Z""#),
            (&UnixSecondsRfc3339, "-", r#""2025-01-01T24:00:00Z""#),
            (&UnixSecondsRfc3339, "-", r#""2025-01-01""#),
            (&UnixSecondsRfc3339, "-", r#""2025-01-01T00:00:00""#),
            (&UnixMillisRfc3339, "1735689600123", r#""2025-01-01T00:00:00.123Z""#),
            (&UnixMillisRfc3339, "-1", r#""1969-12-31T23:59:59.999Z""#),
            (&csv, r#""a,b,""#, r#"["a","b",""]"#),
            (&csv, r#""""#, "[]"),
            (&csv, "-", r#"[""]"#),
            (&csv, "-", r#"["a,b"]"#),
            (&csv, "-", "[1]"),
        ];
        for (conversion, first, second) in cases {
            let way = |way, from: &str| {
                conversion.run(way, from.as_bytes()).map_or("-".into(), |v| String::from_utf8(v).unwrap())
            };
            if *first != "-" {
                assert_eq!(way(Way::There, first), *second, "{conversion:?} of {first}");
            }
            if *second != "-" {
                assert_eq!(way(Way::Back, second), *first, "{conversion:?} back from {second}");
            }
        }
    }

    #[test]
    fn other_spellings_are_read_and_normalised() {
        let back = |c: Conversion, text: &str| c.run(Way::Back, text.as_bytes()).map(|v| String::from_utf8(v).unwrap());
        assert_eq!(back(Conversion::MinorUnitsDecimal(2), r#""20""#).as_deref(), Some("2000"));
        assert_eq!(back(Conversion::MinorUnitsDecimal(2), r#""-0.000""#).as_deref(), Some("0"));
        assert_eq!(
            back(Conversion::UnixSecondsRfc3339, r#""2025-01-01t02:30:00.5+02:30""#).as_deref(),
            Some("1735689600")
        );
        assert_eq!(
            back(Conversion::UnixMillisRfc3339, r#""2025-01-01T00:00:00.1239Z""#).as_deref(),
            Some("1735689600123")
        );
        assert_eq!(
            back(Conversion::UnixMillisRfc3339, r#""2025-01-01T00:00:00.5z""#).as_deref(),
            Some("1735689600500")
        );
    }

    #[test]
    fn a_clock_writes_a_time_alike_whatever_it_wrote_before() {
        let day = MILLIS_PER_DAY.cast_signed();
        let some = [0, 1, day - 1, day, day + 1, -1, -day, 1_735_689_600_123, 951_782_400_000, 253_402_300_799_999];
        let none = [253_402_300_800_000, -62_135_596_800_001, i64::MAX, i64::MIN];
        let written = |clock: &mut Clock, millis: i64| {
            let mut out = [0; TIME];
            let len = clock.write(Unit::Millisecond, millis.to_string().as_bytes(), &mut out)?;
            Some(String::from_utf8_lossy(&out[..len]).into_owned())
        };
        for first in some.iter().chain(&none) {
            for second in some.iter().chain(&none) {
                let mut clock = Clock::default();
                written(&mut clock, *first);
                let text = written(&mut clock, *second);
                assert_eq!(text, written(&mut Clock::default(), *second), "{second} after {first}");
                let back = text.as_ref().and_then(|text| parse_rfc3339(text.trim_matches('"').as_bytes()));
                let millis = back.map(|(seconds, millis)| seconds * 1000 + millis);
                assert_eq!(millis, Some(*second).filter(|second| some.contains(second)), "{text:?}");
            }
        }
    }

    #[test]
    fn dates_and_days_are_inverse() {
        for days in (-719_162..2_932_896).step_by(97) {
            let (y, m, d) = civil(days).unwrap();
            assert_eq!(days_of(y.into(), m.into(), d.into()), days);
        }
        assert_eq!((civil(-719_162), civil(2_932_896)), (Some((1, 1, 1)), Some((9999, 12, 31))));
        assert_eq!([i64::MIN, -719_163, 2_932_897, i64::MAX].map(civil), [None; 4]);
    }
}
