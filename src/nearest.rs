//! The word that was probably meant: a leaf, since files and requests are misspelt alike.

/// The candidate nearest to `word` by edit distance, if it is near enough to be worth saying. Case does not count;
/// of equally near ones the first.
///
/// One edit is allowed for words of three or four letters, two up to eight, three beyond; shorter words must be equal
/// but for case.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    /// Nobody misspells a longer word; the distance costs the square of it.
    const LONGEST: usize = 64;
    let letters = fold(word);
    let allowed = match letters.len() {
        0 => return None,
        1..=2 => 0,
        3..=4 => 1,
        5..=8 => 2,
        9..=LONGEST => 3,
        _ => return None,
    };
    candidates
        .into_iter()
        .map(|candidate| (distance(&letters, &fold(candidate), allowed), candidate))
        .filter_map(|(distance, candidate)| Some((distance?, candidate)))
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

fn fold(word: &str) -> Vec<char> {
    word.chars().flat_map(char::to_lowercase).collect()
}

/// Edits (insert, delete, replace, swap of neighbours) that make `a` of `b`, if they are no more than `allowed`.
fn distance(a: &[char], b: &[char], allowed: usize) -> Option<usize> {
    if a.len().abs_diff(b.len()) > allowed {
        return None;
    }
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    let mut previous_a = None;
    for (row, letter_a) in a.iter().enumerate() {
        let mut current = Vec::with_capacity(last.len());
        current.push(row + 1);
        let mut previous_b = None;
        for (column, letter_b) in b.iter().enumerate() {
            let at = |row: &[usize], column: usize| row.get(column).copied().unwrap_or(usize::MAX - 1);
            let replace = at(&last, column) + usize::from(letter_a != letter_b);
            let mut best = replace.min(at(&last, column + 1) + 1).min(at(&current, column) + 1);
            if previous_a == Some(letter_b) && previous_b == Some(letter_a) && column > 0 {
                best = best.min(at(&before_last, column - 1) + 1);
            }
            current.push(best);
            previous_b = Some(letter_b);
        }
        previous_a = Some(letter_a);
        before_last = std::mem::replace(&mut last, current);
    }
    last.last().copied().filter(|distance| *distance <= allowed)
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEYS: [&str; 8] = ["name", "exec", "ttl", "tags", "port", "interfaces", "stopTimeout", "timeout"];

    #[test]
    fn misspelt_words_find_their_key() {
        let table = [
            ("tll", "ttl"),
            ("NAME", "name"),
            ("exce", "exec"),
            ("interface", "interfaces"),
            ("stop_timeout", "stopTimeout"),
            ("stopTimout", "stopTimeout"),
            ("timeOut", "timeout"),
            ("tag", "tags"),
        ];
        for (word, want) in table {
            assert_eq!(nearest(word, KEYS), Some(want), "{word}");
        }
    }

    #[test]
    fn strange_and_short_words_find_nothing() {
        for word in ["", "x", "tt", "health", "command", &"timeout".repeat(1000)] {
            assert_eq!(nearest(word, KEYS), None, "{word}");
        }
        assert_eq!(nearest("tt", ["TT"]), Some("TT"));
    }

    #[test]
    fn a_swap_of_neighbours_is_one_edit() {
        let distance_of = |a: &str, b: &str| distance(&fold(a), &fold(b), 9);
        assert_eq!(distance_of("abcd", "bacd"), Some(1));
        assert_eq!(distance_of("kitten", "sitting"), Some(3));
        assert_eq!(distance_of("", "ab"), Some(2));
    }
}
