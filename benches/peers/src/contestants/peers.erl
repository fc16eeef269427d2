%% The works of the race in Erlang. Each prints the cost of one message, call or process.
-module(peers).
-export([main/1, serve/2, init/1, handle_call/3, handle_cast/2]).

main(Args) ->
    Cost = race(Args),
    io:format("~f~n", [float(Cost)]),
    halt(0).

race(["cast", Senders, Count]) ->
    cast(list_to_integer(Senders), list_to_integer(Count) div 10),
    cast(list_to_integer(Senders), list_to_integer(Count));
race(["call", Text]) ->
    Count = list_to_integer(Text),
    Actor = start(none, infinity),
    call(Actor, Count div 10),
    each(Count, fun() -> call(Actor, Count) end);
race(["spawn_stop", Text]) ->
    Count = list_to_integer(Text),
    spawn_stop(Count div 10),
    each(Count, fun() -> spawn_stop(Count) end);
race(["restart", How, Text]) ->
    Crash = list_to_atom(How),
    Count = list_to_integer(Text),
    ok = logger:set_primary_config(level, none),
    restart(Crash, Count div 10),
    each(Count, fun() -> restart(Crash, Count) end);
race(["whereis", Names, Text]) ->
    Count = list_to_integer(Text),
    Visits = name_all(list_to_integer(Names), infinity),
    look_up(Visits, Visits, Count div 10),
    each(Count, fun() -> look_up(Visits, Visits, Count) end);
race(["named_cast", Names, Actors, Text]) ->
    Count = list_to_integer(Text),
    Share = (Count div 10 + Count) div list_to_integer(Actors),
    Visits = lists:sublist(name_all(list_to_integer(Names), Share), list_to_integer(Actors)),
    cast_named(Visits, Visits, Count div 10),
    [call(Name, 1) || Name <- Visits],
    each(Count, fun() ->
        cast_named(Visits, Visits, Count),
        [receive reached -> ok end || _ <- Visits]
    end);
race(["empty_jobs", Workers, Text]) ->
    Count = list_to_integer(Text),
    work_off(list_to_integer(Workers), 0, Count div 10),
    work_off(list_to_integer(Workers), 0, Count) / Count;
race(["speed_up", Rounds, Text]) ->
    Count = list_to_integer(Text),
    Turn = fun(Workers, Share) -> work_off(Workers, list_to_integer(Rounds), Count div Share) end,
    [Turn(Workers, 10) || Workers <- [1, 2]],
    Turns = [{Turn(1, 5), Turn(2, 5)} || _ <- lists:seq(1, 5)],
    {One, Two} = lists:unzip(Turns),
    lists:sum(Two) / lists:sum(One) * 100;
race(["idle_bytes", Text]) ->
    Count = list_to_integer(Text),
    call(start(none, infinity), 1),
    Before = resident(),
    Actors = [begin A = start(none, infinity), call(A, 1), A end || _ <- lists:seq(1, Count)],
    After = resident(),
    Count = length(Actors),
    (After - Before) / Count.

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

spawn_stop(Count) ->
    Actors = [spawn_monitor(?MODULE, serve, [none, infinity]) || _ <- lists:seq(1, Count)],
    [Actor ! stop || {Actor, _} <- Actors],
    [receive {'DOWN', Ref, process, Actor, _} -> ok end || {Actor, Ref} <- Actors].

%% Starts named processes. Returns their names in the order of the lookups.
name_all(Names, Left) ->
    [register(name(Place), start(self(), Left)) || Place <- lists:seq(0, Names - 1)],
    visits(Names, Names, 0).

visits(_, 0, _) -> [];
visits(Names, Left, Place) -> [name(Place) | visits(Names, Left - 1, (Place * 4821 + 7919) rem Names)].

name(Place) -> list_to_atom("actor/" ++ integer_to_list(Place)).

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

%% This module is both the supervisor and the supervised process.
init(supervisor) ->
    Start = {gen_server, start_link, [{local, worker}, ?MODULE, worker, []]},
    {ok, {#{intensity => 1000000000, period => 1}, [#{id => worker, start => Start}]}};
init(worker) -> {ok, infinity}.

handle_call(left, _, Left) -> {reply, Left, Left}.

handle_cast(error, Left) -> {stop, on_purpose, Left};
handle_cast(panic, _) -> error(on_purpose).

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

resident() ->
    {ok, Status} = file:read_file("/proc/" ++ os:getpid() ++ "/status"),
    {match, [KiB]} = re:run(Status, "VmRSS:\\s+(\\d+)", [{capture, all_but_first, list}]),
    list_to_integer(KiB) * 1024.
