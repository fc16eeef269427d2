%% The works of the race in Erlang. Each prints the cost of one message, call or process.
-module(peers).
-export([main/1, serve/2, init/1, handle_call/3, handle_cast/2]).

main([Work | Numbers]) ->
    Results = race(list_to_atom(Work), [list_to_integer(Number) || Number <- Numbers]),
    [io:format("~f~n", [float(Result)]) || Result <- Results],
    halt(0).

race(cast, [Senders, Count]) ->
    cast(Senders, Count div 10),
    [cast(Senders, Count)];
race(call, [1, Count]) ->
    Actor = start(none, infinity),
    call(Actor, Count div 10),
    [each(Count, fun() -> call(Actor, Count) end)];
race(call, [Callers, Count]) ->
    Actor = start(none, infinity),
    call_from(Callers, Actor, Count div 10),
    [each(Count, fun() -> call_from(Callers, Actor, Count) end)];
race(ring, [Actors, Count]) ->
    First = start_ring(Actors, self()),
    Around = fun(Number) -> First ! Number, receive reached -> ok end end,
    Around(Count div 10),
    [each(Count, fun() -> Around(Count - 1) end)];
race(fan_out, [Actors, Rounds]) ->
    fan_out(Actors, Rounds div 10),
    [fan_out(Actors, Rounds)];
race(spawn_stop, [Count]) ->
    spawn_stop(Count div 10),
    [each(Count, fun() -> spawn_stop(Count) end)];
race(restart_error, [Count]) -> [restart_all(error, Count)];
race(restart_panic, [Count]) -> [restart_all(panic, Count)];
race(whereis, [Names, Count]) ->
    name_all(Names, infinity),
    [look_up_all([name(Place) || Place <- visits(Names)], Count)];
race(whereis_skewed, [Names, Count]) ->
    name_all(Names, infinity),
    [look_up_all([name(trunc(math:pow(Names, Place / Names)) - 1) || Place <- visits(Names)], Count)];
race(named_cast, [Names, Actors, Count]) ->
    name_all(Names, (Count div 10 + Count) div Actors),
    Visits = [name(Place) || Place <- lists:sublist(visits(Names), Actors)],
    cast_named(Visits, Visits, Count div 10),
    [call(Name, 1) || Name <- Visits],
    [each(Count, fun() ->
        cast_named(Visits, Visits, Count),
        [receive reached -> ok end || _ <- Visits]
    end)];
race(empty_jobs, [Workers, Count]) ->
    work_off(Workers, 0, Count div 10),
    [work_off(Workers, 0, Count) / Count];
race(speed_up, [Rounds, Count]) ->
    Turn = fun(Workers, Share) -> work_off(Workers, Rounds, Count div Share) end,
    [Turn(Workers, 10) || Workers <- [1, 2]],
    Turns = [{Turn(1, 5), Turn(2, 5)} || _ <- lists:seq(1, 5)],
    {One, Two} = lists:unzip(Turns),
    [lists:sum(Two) / lists:sum(One) * 100];
race(idle_bytes, [Count]) ->
    call(start(none, infinity), 1),
    Before = memory("VmRSS"),
    Actors = [begin A = start(none, infinity), call(A, 1), A end || _ <- lists:seq(1, Count)],
    After = memory("VmRSS"),
    Count = length(Actors),
    [(After - Before) / Count];
race(children, [Children, Times]) ->
    Live = fun(_) ->
        {Tree, _, Start} = start_tree(1, Children, tally()),
        [Start, stop_tree(Tree)]
    end,
    [Live(Turn) || Turn <- lists:seq(1, Times div 10 + 1)],
    [Sum / (Times * Children) || Sum <- sums([Live(Turn) || Turn <- lists:seq(1, Times)])];
race(scale, [Supervisors, Workers, OneIn, Times]) ->
    ok = logger:set_primary_config(level, none),
    Before = memory("VmRSS"),
    Crashes = (Workers + OneIn - 1) div OneIn,
    live_tree(Supervisors, Workers, OneIn),
    First = memory("VmRSS"),
    Sums = sums([live_tree(Supervisors, Workers, OneIn) || _ <- lists:seq(1, Times)]),
    Peak = memory("VmHWM"),
    [Start, Message, Crash, Stop] = Sums,
    Of = fun(Sum, Count) -> Sum / (Times * Count) end,
    [Of(lists:sum(Sums), Workers), Of(Start, Workers), Of(Message, Workers), Of(Crash, Crashes),
     Of(Stop, Workers), (Peak - Before) / Workers, Peak / 1.0e6, memory("VmRSS") / First * 100].

%% The state: the process to notify, and the number of remaining steps.
serve(Tell, 0) ->
    Tell ! reached,
    serve(none, infinity);
serve(Tell, Left) ->
    receive
        {step, By} when is_integer(Left) -> serve(Tell, Left - By);
        {left, From, Ref} -> From ! {Ref, Left}, serve(Tell, Left);
        stop -> ok
    end.

start(Tell, Left) -> spawn(?MODULE, serve, [Tell, Left]).

cast(Senders, Count) ->
    Share = Count div Senders,
    Actor = start(self(), Share * Senders),
    each(Count, fun() ->
        [spawn(fun() -> flood(Actor, Share) end) || _ <- lists:seq(1, Senders)],
        receive reached -> ok end
    end).

flood(_, 0) -> ok;
flood(Actor, Left) ->
    Actor ! {step, 1},
    flood(Actor, Left - 1).

call(_, 0) -> ok;
call(Actor, Left) ->
    Ref = make_ref(),
    Actor ! {left, self(), Ref},
    receive {Ref, _} -> call(Actor, Left - 1) end.

call_from(Callers, Actor, Count) ->
    Caller = fun() -> call(Actor, Count div Callers) end,
    Refs = [element(2, spawn_monitor(Caller)) || _ <- lists:seq(1, Callers)],
    [receive {'DOWN', Ref, process, _, normal} -> ok end || Ref <- Refs].

start_ring(Actors, Tell) ->
    spawn(fun() ->
        First = self(),
        Start = fun(_, Next) -> spawn(fun() -> hand_on(Next, Tell) end) end,
        hand_on(lists:foldl(Start, First, lists:seq(2, Actors)), Tell)
    end).

hand_on(Next, Tell) ->
    receive
        0 -> Tell ! reached;
        Number -> Next ! Number - 1
    end,
    hand_on(Next, Tell).

fan_out(Actors, Rounds) ->
    All = [start(self(), Rounds) || _ <- lists:seq(1, Actors)],
    each(Actors * Rounds, fun() ->
        [[Actor ! {step, 1} || Actor <- All] || _ <- lists:seq(1, Rounds)],
        [receive reached -> ok end || _ <- All]
    end).

spawn_stop(Count) ->
    Actors = [spawn_monitor(?MODULE, serve, [none, infinity]) || _ <- lists:seq(1, Count)],
    [Actor ! stop || {Actor, _} <- Actors],
    [receive {'DOWN', Ref, process, Actor, _} -> ok end || {Actor, Ref} <- Actors].

name_all(Names, Left) ->
    [register(name(Place), start(self(), Left)) || Place <- lists:seq(0, Names - 1)].

%% Returns all places in the order of the lookups.
visits(Names) -> visits(Names, Names, 0).

visits(_, 0, _) -> [];
visits(Names, Left, Place) -> [Place | visits(Names, Left - 1, (Place * 4821 + 7919) rem Names)].

name(Place) -> list_to_atom("actor/" ++ integer_to_list(Place)).

look_up_all(Visits, Count) ->
    look_up(Visits, Visits, Count div 10),
    each(Count, fun() -> look_up(Visits, Visits, Count) end).

look_up(_, _, 0) -> ok;
look_up([], Visits, Left) -> look_up(Visits, Visits, Left);
look_up([Name | Names], Visits, Left) ->
    true = is_pid(whereis(Name)),
    look_up(Names, Visits, Left - 1).

cast_named(_, _, 0) -> ok;
cast_named([], Visits, Left) -> cast_named(Visits, Visits, Left);
cast_named([Name | Names], Visits, Left) ->
    Name ! {step, 1},
    cast_named(Names, Visits, Left - 1).

%% This module is every supervisor and every supervised process.
init(supervisor) ->
    Start = {gen_server, start_link, [{local, worker}, ?MODULE, worker, []]},
    {ok, {unlimited(one_for_one), [#{id => worker, start => Start}]}};
init({tree, Supervisors, Tally}) ->
    Start = {supervisor, start_link, [?MODULE, {workers, Tally}]},
    Child = fun(Id) -> #{id => Id, start => Start, type => supervisor} end,
    {ok, {#{}, [Child(Id) || Id <- lists:seq(1, Supervisors)]}};
init({workers, Tally}) ->
    Start = {gen_server, start_link, [?MODULE, {counted, Tally}, []]},
    {ok, {unlimited(simple_one_for_one), [#{id => worker, start => Start, shutdown => infinity}]}};
init({counted, Tally}) ->
    step(Tally),
    {ok, Tally};
init(worker) -> {ok, infinity}.

unlimited(Strategy) -> #{strategy => Strategy, intensity => 1000000000, period => 1}.

handle_call(left, _, Left) -> {reply, Left, Left}.

handle_cast(step, Tally) ->
    step(Tally),
    {noreply, Tally};
handle_cast(error, State) -> {stop, on_purpose, State};
handle_cast(panic, _) -> error(on_purpose).

restart_all(Crash, Count) ->
    ok = logger:set_primary_config(level, none),
    restart(Crash, Count div 10),
    each(Count, fun() -> restart(Crash, Count) end).

%% At each restart, a supervisor scans its restarts of the last second. Each supervisor gets few
%% restarts, so that this scan is not measured.
restart(_, 0) -> ok;
restart(Crash, Left) ->
    Some = min(Left, 100),
    {ok, Supervisor} = supervisor:start_link(?MODULE, supervisor),
    crash(Crash, Some),
    gen_server:stop(Supervisor),
    restart(Crash, Left - Some).

crash(_, 0) -> ok;
crash(Crash, Left) ->
    gen_server:cast(worker, Crash),
    answer(),
    crash(Crash, Left - 1).

answer() ->
    try gen_server:call(worker, left)
    catch exit:_ -> erlang:yield(), answer()
    end.

%% A countdown that all processes share. It sends a message to the process that made it at zero.
tally() -> {atomics:new(1, []), self()}.

expect({Left, _}, Steps) -> atomics:put(Left, 1, Steps).

step({Left, Tell}) ->
    case atomics:sub_get(Left, 1, 1) of
        0 -> Tell ! counted;
        _ -> ok
    end.

%% Starts a tree, and the workers of all supervisors at the same time. Returns the tree, the workers
%% and the time of their start.
start_tree(Supervisors, Workers, Tally) ->
    {ok, Tree} = supervisor:start_link(?MODULE, {tree, Supervisors, Tally}),
    All = [Supervisor || {_, Supervisor, _, _} <- supervisor:which_children(Tree)],
    expect(Tally, Workers),
    Begin = erlang:monotonic_time(nanosecond),
    Self = self(),
    [spawn_link(fun() -> Self ! {started, start_children(Supervisor, Workers div Supervisors)} end)
     || Supervisor <- All],
    Started = [receive {started, Pids} -> Pids end || _ <- All],
    receive counted -> ok end,
    Time = erlang:monotonic_time(nanosecond) - Begin,
    {Tree, lists:append(Started), Time}.

start_children(Supervisor, Count) ->
    [begin {ok, Pid} = supervisor:start_child(Supervisor, []), Pid end || _ <- lists:seq(1, Count)].

%% Returns the time until all workers and supervisors have ended.
stop_tree(Tree) -> each(1, fun() -> gen_server:stop(Tree) end).

%% Returns the times of the start, the messages, the crashes and the stop.
live_tree(Supervisors, Workers, OneIn) ->
    Tally = tally(),
    {Tree, Started, Start} = start_tree(Supervisors, Workers, Tally),
    expect(Tally, Workers),
    Message = each(1, fun() ->
        [gen_server:cast(Worker, step) || Worker <- Started],
        receive counted -> ok end
    end),
    Crashing = every(OneIn, Started),
    expect(Tally, length(Crashing)),
    Crash = each(1, fun() ->
        [gen_server:cast(Worker, error) || Worker <- Crashing],
        receive counted -> ok end
    end),
    [Start, Message, Crash, stop_tree(Tree)].

every(_, []) -> [];
every(OneIn, [First | Rest]) -> [First | every(OneIn, drop(OneIn - 1, Rest))].

drop(0, Rest) -> Rest;
drop(_, []) -> [];
drop(Left, [_ | Rest]) -> drop(Left - 1, Rest).

%% Adds the times of all repetitions, step by step.
sums([First | Rest]) -> lists:foldl(fun(Times, Sums) -> lists:zipwith(fun erlang:'+'/2, Times, Sums) end, First, Rest).

%% Runs a process with the queue, and workers that request each next job. Returns the time in
%% nanoseconds.
work_off(Workers, Rounds, Count) ->
    Left = atomics:new(1, []),
    atomics:put(Left, 1, Count),
    Tell = self(),
    Pool = spawn(fun() -> dispatch([], queue:new()) end),
    [spawn(fun() -> work(Pool, Left, Tell) end) || _ <- lists:seq(1, Workers)],
    each(1, fun() ->
        submit(Pool, Rounds, Count),
        receive reached -> ok end
    end).

submit(_, _, 0) -> ok;
submit(Pool, Rounds, Left) ->
    Pool ! {job, Rounds},
    submit(Pool, Rounds, Left - 1).

dispatch(Idle, Jobs) ->
    receive
        {job, Rounds} when Idle =:= [] -> dispatch([], queue:in(Rounds, Jobs));
        {job, Rounds} -> hd(Idle) ! {job, Rounds}, dispatch(tl(Idle), Jobs);
        {ready, Worker} ->
            case queue:out(Jobs) of
                {{value, Rounds}, Rest} -> Worker ! {job, Rounds}, dispatch(Idle, Rest);
                {empty, _} -> dispatch([Worker | Idle], Jobs)
            end
    end.

work(Pool, Left, Tell) ->
    Pool ! {ready, self()},
    receive {job, Rounds} -> toil(Rounds, Rounds) end,
    case atomics:sub_get(Left, 1, 1) of
        0 -> Tell ! reached;
        _ -> ok
    end,
    work(Pool, Left, Tell).

%% All numbers stay within the small integers of Erlang.
toil(0, Made) -> Made;
toil(Left, Made) -> toil(Left - 1, ((Made bxor Left) * 16#9E3779) band 16#FFFFFFFF).

each(Count, Work) ->
    Begin = erlang:monotonic_time(nanosecond),
    Work(),
    (erlang:monotonic_time(nanosecond) - Begin) / Count.

memory(What) ->
    {ok, Status} = file:read_file("/proc/" ++ os:getpid() ++ "/status"),
    {match, [KiB]} = re:run(Status, What ++ ":\\s+(\\d+)", [{capture, all_but_first, list}]),
    list_to_integer(KiB) * 1024.
