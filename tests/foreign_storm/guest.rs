//! A ractor actor with callbacks and values that may panic.

use perennial::Reply;
use ractor::{Actor, ActorProcessingErr, ActorRef};

use crate::faulty::{Faults, Faulty, Place};
use crate::volatile::{Msg, Step};

pub(crate) struct Guest {
    pub(crate) faults: Faults,
    #[allow(dead_code, reason = "only dropped")]
    pub(crate) value: Faulty,
}

pub(crate) struct State {
    kept: Vec<Reply<Faulty>>,
    value: Faulty,
}

impl Actor for Guest {
    type Msg = Msg;
    type State = State;
    type Arguments = Faulty;

    async fn pre_start(&self, _: ActorRef<Msg>, value: Faulty) -> Result<State, ActorProcessingErr> {
        if self.faults.triggers(20) {
            return Err(Box::new(value));
        }
        Ok(State { kept: Vec::new(), value: value.throw_sometimes(Place::Init, 20) })
    }

    async fn handle(
        &self,
        myself: ActorRef<Msg>,
        msg: Msg,
        state: &mut State,
    ) -> Result<(), ActorProcessingErr> {
        let is_calm = self.faults.is_calm();
        match msg {
            Msg::Incarnation(reply) => reply.send(0),
            Msg::Alive(reply) => reply.send(()),
            Msg::Answer(reply) => reply.send(state.value.faults.value()),
            Msg::AnswerLast(reply) => {
                reply.send(self.faults.value());
                myself.stop(None);
            }
            Msg::Keep(reply) if !is_calm => state.kept.push(reply),
            Msg::Keep(_) | Msg::FailWith(_) => {}
            Msg::Do(Step::Fail, value) if !is_calm => return Err(Box::new(value)),
            Msg::Do(Step::Panic, value) if !is_calm => value.throw(Place::Handler),
            Msg::Do(Step::Hang, value) if !is_calm => {
                let _captured = value;
                self.faults.calm().await;
            }
            Msg::Do(Step::Stop, value) if !is_calm => {
                myself.stop(None);
                drop(value);
            }
            Msg::Do(_, value) => drop(value),
        }
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<Msg>, _: &mut State) -> Result<(), ActorProcessingErr> {
        self.faults.maybe_panic(Place::Terminate, 10);
        Ok(())
    }
}
