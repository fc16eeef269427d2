//! One topic that is exposed: what is published elsewhere is published here.

use std::marker::PhantomData;

use perennial_actors::host::ignore_panic;
use perennial_actors::{ActorHandle, System};
use perennial_durable::{Codec, Wire};
use perennial_registry::{Registry, Topic};

use super::answers::Answers;
use super::exposure::{Delivery, Expose, decode_message};
use crate::wire::Outcome;

pub(crate) struct TopicExposure<T, C> {
    topic: Topic<T>,
    codec: PhantomData<fn(C)>,
}

impl<T, C> TopicExposure<T, C> {
    pub(crate) const fn new(topic: Topic<T>) -> Self {
        Self { topic, codec: PhantomData }
    }
}

impl<T: Wire + Clone + Send + 'static, C: Codec> Expose for TopicExposure<T, C> {
    fn deliver(&self, system: &System, delivery: Delivery) -> Result<Option<Answers>, Outcome> {
        let (message, _) = decode_message::<T, C>(system, &delivery.payload)?;
        Registry::of(system).topic(&self.topic).publish(&message);
        ignore_panic(|| drop(message));
        Ok(None)
    }

    fn handle(&self, _: &System) -> Option<ActorHandle> {
        None
    }

    fn is_bound(&self, _: &System) -> bool {
        true
    }
}
