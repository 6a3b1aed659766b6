//! The names somebody may have meant.

/// The candidate that `word` is a near miss of: edit distance at most 2 and at most a third of the word's length
/// (SPEC 3). `None` when nothing is that near, or when `word` is a candidate itself.
pub fn near_miss<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    let limit = 2.min(length / 3);
    let mut best: Option<(usize, &str)> = None;
    for candidate in candidates {
        // A distance costs the product of both lengths, which for a hostile word of a megabyte is minutes.
        if candidate.chars().count().abs_diff(length) > limit {
            continue;
        }
        let distance = strsim::osa_distance(word, candidate);
        if distance == 0 {
            return None;
        }
        if distance <= limit && best.is_none_or(|(found, _)| distance < found) {
            best = Some((distance, candidate));
        }
    }
    best.map(|(_, candidate)| candidate)
}

/// Bytes of the longest words that are compared letter by letter.
const LONGEST: usize = 1024;

/// Up to three candidates that look like `word`, nearest first; for "unknown name" errors, so more lenient than
/// [`near_miss`]: similarity at least 0.6, or one contains the other.
pub fn nearest<'a>(word: &str, candidates: impl IntoIterator<Item = &'a str>) -> Vec<&'a str> {
    if word.len() > LONGEST {
        return Vec::new();
    }
    let lower = word.to_lowercase();
    let mut scored: Vec<(f64, &str)> = candidates
        .into_iter()
        .filter(|candidate| candidate.len() <= LONGEST)
        .filter_map(|candidate| {
            let other = candidate.to_lowercase();
            // The score is at most the ratio of the lengths, so the costly distance is taken only where it can matter.
            let (short, long) = (lower.len().min(other.len()), lower.len().max(other.len()));
            let comparable = long <= 4 * short && long <= LONGEST;
            let mut score = if comparable { strsim::normalized_damerau_levenshtein(&lower, &other) } else { 0.0 };
            // Of a letter or two, nearly every word is a part.
            if short >= 3 && (other.contains(&lower) || lower.contains(&other)) {
                score = score.max(0.7);
            }
            (score >= 0.6).then_some((score, candidate))
        })
        .collect();
    scored.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(b.1)));
    scored.dedup_by(|a, b| a.1 == b.1);
    scored.into_iter().take(3).map(|(_, candidate)| candidate).collect()
}

/// "did you mean `a`, `b`?" for [`nearest`] names; `None` for none.
#[must_use]
pub fn did_you_mean(names: &[&str]) -> Option<String> {
    if names.is_empty() {
        return None;
    }
    let ticked: Vec<String> = names.iter().map(|name| format!("`{name}`")).collect();
    Some(format!("did you mean {}?", ticked.join(" or ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn near_misses_are_near() {
        let keys = ["resources_used", "aipu_cores_used", "name"];
        assert_eq!(near_miss("resorces_used", keys), Some("resources_used"));
        assert_eq!(near_miss("nmae", keys), Some("name"));
        assert_eq!(near_miss("nm", keys), None);
        assert_eq!(near_miss("something_new", keys), None);
        assert_eq!(near_miss("name", keys), None);
    }

    #[test]
    fn a_word_of_a_megabyte_is_near_nothing_at_once() {
        let word = "a".repeat(1 << 20);
        let candidates: Vec<String> = (0..200).map(|index| format!("{}{index}", "a".repeat(40))).collect();
        assert_eq!(near_miss(&word, candidates.iter().map(String::as_str)), None);
        assert!(nearest(&word, ["b".repeat(40).as_str()]).is_empty());
    }

    #[test]
    fn nearest_names_come_best_first() {
        assert_eq!(nearest("digit", ["digits", "yolov8n", "digits-inline"]), ["digits", "digits-inline"]);
        assert!(nearest("resnet", ["yolov8n"]).is_empty());
    }
}
