//! The tokens of related objects.

use crate::model::token::RelatedObject;
use crate::token_string::TokenId;
use std::collections::{HashMap, HashSet};

/// The tokens of each object.
pub(crate) type Objects = HashMap<RelatedObject, HashSet<TokenId>>;
