//! The index of related objects.

use std::collections::{HashMap, HashSet};

use crate::model::token::RelatedObject;
use crate::token_string::TokenId;

/// The tokens of each object.
pub(crate) type Objects = HashMap<RelatedObject, HashSet<TokenId>>;
