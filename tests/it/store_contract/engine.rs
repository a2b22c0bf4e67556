//! The engines that the contract is held against, each with a fresh store.

use phonehome_collector::store::Store;
use phonehome_tests::servers::PostgresServer;
use std::sync::Arc;

/// An engine.
#[derive(Clone, Copy, Debug)]
pub(super) enum Engine {
    /// The embedded one.
    Sqlite,
    /// A server of its own.
    Postgres,
}

/// What a store lives in, as long as its test goes on.
#[allow(dead_code, reason = "held, not read")]
pub(super) enum Home {
    Folder(tempfile::TempDir),
    Server(Arc<PostgresServer>),
}

impl Engine {
    /// A store that nobody has used.
    pub(super) async fn fresh(self) -> (Store, Home) {
        match self {
            Self::Sqlite => {
                let folder = tempfile::tempdir().expect("a folder");
                let store = Store::open(&folder.path().join("collector.db"), true).await;
                (store.expect("opens"), Home::Folder(folder))
            }
            Self::Postgres => {
                let server = PostgresServer::shared();
                let (_, database) = server.database();
                let store = Store::connect(database, true).await;
                (store.expect("opens"), Home::Server(server))
            }
        }
    }
}

/// One test for each of these rules and each engine.
macro_rules! on_every_engine {
    ($($rule:ident),+ $(,)?) => {
        mod sqlite {
            use crate::store_contract::engine::Engine;
            $(#[tokio::test] async fn $rule() { super::$rule(Engine::Sqlite).await; })+
        }
        mod postgres {
            use crate::store_contract::engine::Engine;
            $(
                #[tokio::test]
                #[ignore = "needs PostgreSQL's server"]
                async fn $rule() { super::$rule(Engine::Postgres).await; }
            )+
        }
    };
}
