//! How alike two names are.

/// Words of API vocabularies that stand for each other.
const SYNONYMS: &[&[&str]] = &[
    &["id", "identifier", "ident", "uid", "uuid", "guid", "key", "ref"],
    &["qty", "quantity", "count", "num", "number", "no"],
    &["state", "status", "phase"],
    &["desc", "description", "text", "body", "content", "message", "msg", "note", "comment"],
    &["name", "title", "label", "caption"],
    &["price", "amount", "cost", "total", "value"],
    &["user", "author", "owner", "customer", "account", "client"],
    &["ts", "timestamp", "time", "at", "date", "when"],
    &["img", "image", "picture", "avatar", "photo"],
    &["tel", "phone", "telephone", "mobile"],
    &["mail", "email"],
    &["zip", "postal", "postcode"],
    &["url", "uri", "link", "href"],
    &["type", "kind", "category"],
    &["items", "entries", "list", "results", "lines", "rows", "records"],
    &["addr", "address", "location"],
    &["is", "has", "flag", "enabled"],
];

/// From 0, nothing in common, to 1, the same name or one that means the same.
#[must_use]
pub(super) fn similarity(a: &str, b: &str) -> f64 {
    if a == b {
        return 1.0;
    }
    let (words, others) = (words(a), words(b));
    let shared = words.iter().filter(|word| others.contains(word)).count();
    let by_word = ratio(2 * shared, words.len() + others.len());
    by_word.max(0.8 * by_letters(&a.to_lowercase(), &b.to_lowercase()))
}

#[expect(clippy::cast_precision_loss, reason = "counts of words and letters are small")]
fn ratio(part: usize, whole: usize) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// The words of a name in any case, each the first of its synonyms.
fn words(name: &str) -> Vec<String> {
    let mut words: Vec<String> = vec![String::new()];
    let mut lower_before = false;
    for c in name.chars() {
        if !c.is_alphanumeric() || (c.is_uppercase() && lower_before) {
            words.push(String::new());
        }
        lower_before = c.is_lowercase() || c.is_ascii_digit();
        if let (true, Some(word)) = (c.is_alphanumeric(), words.last_mut()) {
            word.extend(c.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words.into_iter().map(canonical).collect()
}

fn canonical(word: String) -> String {
    let group = SYNONYMS.iter().find(|group| group.contains(&word.as_str()));
    group.map_or(word, |group| group[0].to_owned())
}

/// The share of pairs of neighbouring letters that two words have in common.
fn by_letters(a: &str, b: &str) -> f64 {
    let pairs = |text: &str| -> Vec<(char, char)> { text.chars().zip(text.chars().skip(1)).collect() };
    let (left, mut right) = (pairs(a), pairs(b));
    let all = left.len() + right.len();
    let shared = left.iter().filter(|pair| {
        let at = right.iter().position(|other| other == *pair);
        at.map(|at| right.swap_remove(at)).is_some()
    });
    ratio(2 * shared.count(), all)
}

#[cfg(test)]
mod tests {
    use super::similarity;

    #[test]
    fn names_that_mean_the_same_are_alike() {
        for (a, b) in [("qty", "quantity"), ("created_at", "createdAt"), ("state", "status"), ("user_id", "userID")] {
            assert!(similarity(a, b) > 0.9, "{a} {b}: {}", similarity(a, b));
        }
        for (a, b) in [("amount", "city"), ("deleted", "note"), ("", "x")] {
            assert!(similarity(a, b) < 0.3, "{a} {b}: {}", similarity(a, b));
        }
    }
}
