//! Paths to JSON values, as error messages name them (RFC 6901).

/// The path to a value. It borrows its parents, so it becomes a text only when an error names it.
pub enum JsonPath<'a> {
    /// The whole document.
    Root,
    /// A field of an object.
    Field(&'a JsonPath<'a>, &'a str),
    /// An item of a list.
    Item(&'a JsonPath<'a>, usize),
}

impl JsonPath<'_> {
    /// Joins the escaped segments by slashes, such as `related_objects/0/object_id`.
    pub fn text(&self) -> String {
        let (parent, last) = match self {
            Self::Root => return String::new(),
            Self::Field(parent, name) => (parent, escaped(name)),
            Self::Item(parent, index) => (parent, index.to_string()),
        };
        if matches!(parent, Self::Root) { last } else { format!("{}/{last}", parent.text()) }
    }
}

/// Escapes a name as a segment of a JSON pointer (RFC 6901, section 3).
pub fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
