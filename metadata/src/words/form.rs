//! How words of `base`, which knows no serialisation, are written in a record: moments as milliseconds, whatever has
//! a text form as that text, bytes as hexadecimal digits.

/// For what is left out of a record unless it is so.
#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde asks for it")]
pub(crate) const fn is_not(said: &bool) -> bool {
    !*said
}

/// A moment as milliseconds since 1970.
pub(crate) mod millis {
    use serde::{Deserialize as _, Deserializer, Serializer};
    use tidemark_base::UnixMillis;

    pub(crate) fn serialize<S: Serializer>(value: &UnixMillis, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(value.0)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<UnixMillis, D::Error> {
        u64::deserialize(deserializer).map(UnixMillis)
    }
}

/// A moment or none.
pub(crate) mod maybe_millis {
    use serde::{Deserialize as _, Deserializer, Serialize as _, Serializer};
    use tidemark_base::UnixMillis;

    pub(crate) fn serialize<S: Serializer>(
        value: &Option<UnixMillis>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.map(|it| it.0).serialize(serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Option<UnixMillis>, D::Error> {
        Ok(Option::<u64>::deserialize(deserializer)?.map(UnixMillis))
    }
}

/// Whatever has a text form.
pub(crate) mod text {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};
    use std::fmt::Display;
    use std::str::FromStr;

    pub(crate) fn serialize<T: Display, S: Serializer>(value: &T, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(value)
    }

    pub(crate) fn deserialize<'de, T, D>(deserializer: D) -> Result<T, D::Error>
    where
        T: FromStr,
        T::Err: Display,
        D: Deserializer<'de>,
    {
        String::deserialize(deserializer)?.parse().map_err(D::Error::custom)
    }
}

/// A fixed number of bytes as hexadecimal digits.
pub(crate) mod digits {
    use serde::{Deserialize as _, Deserializer, Serializer, de::Error as _};

    pub(crate) fn serialize<const N: usize, S: Serializer>(
        value: &[u8; N],
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode(value))
    }

    pub(crate) fn deserialize<'de, const N: usize, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<[u8; N], D::Error> {
        let text = String::deserialize(deserializer)?;
        let mut bytes = [0; N];
        // One form for each value, so that what is read is what would be written.
        let lower = !text.bytes().any(|it| it.is_ascii_uppercase());
        match hex::decode_to_slice(&text, &mut bytes) {
            Ok(()) if lower => Ok(bytes),
            _ => Err(D::Error::custom("not the hexadecimal digits it should be")),
        }
    }
}
