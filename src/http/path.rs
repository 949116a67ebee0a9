//! The segments of a path and the parameters of a query, with what `%` hides in them.

/// The decoded segments: `/v4/jobs/a%2Fb` is `v4`, `jobs`, `a/b`. `None` for what no route can be: a path that does not
/// begin with a slash, a broken escape, bytes that are no UTF-8, or NUL.
pub fn segments(path: &str) -> Option<Vec<String>> {
    path.strip_prefix('/')?.split('/').map(decode).collect()
}

/// The decoded parameters of a query in their order: `follow&from=7` is `follow` with an empty value, and `from` with `7`.
/// `None` for a broken escape, bytes that are no UTF-8, or NUL.
pub fn parameters(query: &str) -> Option<Vec<(String, String)>> {
    let pairs = query.split('&').filter(|pair| !pair.is_empty());
    pairs.map(|pair| pair.split_once('=').unwrap_or((pair, ""))).map(|(k, v)| Some((decode(k)?, decode(v)?))).collect()
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
    use super::{parameters, segments};

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

    #[test]
    fn parameters_are_decoded_one_by_one() {
        let of = |query: &str| {
            parameters(query).map(|all| all.iter().map(|(key, value)| format!("{key}:{value}")).collect::<Vec<_>>())
        };
        assert_eq!(of("").unwrap(), [""; 0]);
        assert_eq!(of("follow&from=7&&a%3D=b%26=c").unwrap(), ["follow:", "from:7", "a=:b&=c"]);
        for query in ["a=%", "%zz", "a=%00", "%ff=1"] {
            assert_eq!(of(query), None, "{query}");
        }
    }
}
