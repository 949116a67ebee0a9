//! The segments of a path, with what `%` hides in them.

/// The decoded segments: `/v4/jobs/a%2Fb` is `v4`, `jobs`, `a/b`. `None` for what no route can be: a path that does not
/// begin with a slash, a broken escape, bytes that are no UTF-8, or NUL.
pub fn segments(path: &str) -> Option<Vec<String>> {
    path.strip_prefix('/')?.split('/').map(decode).collect()
}

fn decode(segment: &str) -> Option<String> {
    let mut bytes = segment.bytes();
    let mut decoded = Vec::with_capacity(segment.len());
    while let Some(byte) = bytes.next() {
        decoded.push(if byte == b'%' { (digit(bytes.next()?)? << 4) | digit(bytes.next()?)? } else { byte });
    }
    String::from_utf8(decoded).ok().filter(|text| !text.contains('\0'))
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::segments;

    #[test]
    fn segments_are_decoded_one_by_one() {
        let of = |path: &str| segments(path).map(|found| found.join("|"));
        assert_eq!(of("/v3/ping").unwrap(), "v3|ping");
        assert_eq!(of("/v4/jobs/a%2Fb%20c/why").unwrap(), "v4|jobs|a/b c|why");
        assert_eq!(of("/").unwrap(), "");
        assert_eq!(of("//v3/ping/").unwrap(), "|v3|ping|");
        for path in ["", "*", "v3/ping", "/%", "/%4", "/%zz", "/%ff", "/%00"] {
            assert_eq!(of(path), None, "{path}");
        }
    }
}
