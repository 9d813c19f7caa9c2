//! The tokens of related objects.

use crate::model::token::record::RelatedObject;
use crate::token_string::TokenId;
use std::collections::{HashMap, HashSet};

/// The tokens of each object.
pub(crate) type Objects = HashMap<RelatedObject, HashSet<TokenId>>;
