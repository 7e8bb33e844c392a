-module(hello_ffi).
-export([serve/1]).

%% As much of HTTP as one page needs, with Erlang's own packet parser.
serve(Body) ->
    Port = list_to_integer(os:getenv("PORT", "8080")),
    {ok, Host} = inet:parse_address(os:getenv("HOST", "127.0.0.1")),
    {ok, Socket} = gen_tcp:listen(Port, [binary, {ip, Host}, {packet, http_bin}, {active, false}, {reuseaddr, true}]),
    accept(Socket, Body).

accept(Socket, Body) ->
    {ok, Client} = gen_tcp:accept(Socket),
    Pid = spawn(fun() -> answer(Client, Body) end),
    gen_tcp:controlling_process(Client, Pid),
    accept(Socket, Body).

answer(Client, Body) ->
    case gen_tcp:recv(Client, 0, 5000) of
        {ok, http_eoh} ->
            Length = integer_to_binary(byte_size(Body)),
            gen_tcp:send(Client, ["HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length: ", Length, "\r\n\r\n", Body]),
            gen_tcp:close(Client);
        {ok, _} -> answer(Client, Body);
        {error, _} -> gen_tcp:close(Client)
    end.
