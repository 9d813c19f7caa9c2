//! The fields of a hash in one allocation.

/// Names and values of a hash's fields, one after the other, each behind its length.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PackedFields(Box<[u8]>);

impl PackedFields {
    /// Packs names and values, which alternate.
    pub(crate) fn of<'a>(parts: impl Iterator<Item = &'a [u8]>) -> Self {
        let mut packed = Vec::new();
        for part in parts {
            packed.extend((part.len() as u32).to_le_bytes());
            packed.extend(part);
        }
        Self(packed.into())
    }

    /// The number of bytes.
    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// Names and values, which alternate.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        let mut rest = &self.0[..];
        std::iter::from_fn(move || {
            let (length, tail) = rest.split_first_chunk()?;
            let part;
            (part, rest) = tail.split_at_checked(u32::from_le_bytes(*length) as usize)?;
            Some(part)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_fields_are_unpacked() {
        let parts: [&[u8]; 4] = [b"u", b"alice", b"p", b""];
        let packed = PackedFields::of(parts.into_iter());
        assert_eq!(packed.parts().collect::<Vec<_>>(), parts);
        assert_eq!(packed.len(), 4 * 4 + 7);
    }
}
