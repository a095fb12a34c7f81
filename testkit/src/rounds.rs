//! How often a long test goes round: a small number in `cargo xtask test`, many in `cargo xtask long`.

/// The environment variable by which `cargo xtask long` asks for more.
const VARIABLE: &str = "TIDEMARK_ROUNDS";

/// The number of rounds in `TIDEMARK_ROUNDS`, or `default` if it is unset.
///
/// # Panics
/// If the variable holds no positive number: a long run that silently went a short way would be a lie.
#[must_use]
pub fn rounds(default: u32) -> u32 {
    let value = std::env::var_os(VARIABLE).map(|value| value.to_string_lossy().into_owned());
    match parse(value.as_deref(), default) {
        Ok(rounds) => rounds,
        Err(error) => panic!("{error}"),
    }
}

/// The number of rounds in `TIDEMARK_ROUNDS`; none if it is unset. For a test whose rounds are longer in a long run, too.
///
/// # Panics
/// As [`rounds`].
#[must_use]
pub fn rounds_asked_for() -> Option<u32> {
    std::env::var_os(VARIABLE).map(|_| rounds(1))
}

fn parse(value: Option<&str>, default: u32) -> Result<u32, RoundsError> {
    let Some(text) = value else { return Ok(default) };
    match text.parse() {
        Ok(rounds) if rounds > 0 => Ok(rounds),
        _ => Err(RoundsError { text: text.chars().take(80).collect() }),
    }
}

/// A value that is no number of rounds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{VARIABLE} is '{text}'; set it to a whole number from 1 to {max}, or unset it", max = u32::MAX)]
struct RoundsError {
    text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unset_means_the_default_and_rubbish_is_refused() {
        assert_eq!(parse(None, 3), Ok(3));
        assert_eq!(parse(Some("200"), 3), Ok(200));
        for bad in ["", "0", "-1", "1.5", " 2", "many", "4294967296"] {
            let error = parse(Some(bad), 3).unwrap_err().to_string();
            assert!(error.contains("TIDEMARK_ROUNDS") && error.contains(bad), "{error}");
        }
    }
}
