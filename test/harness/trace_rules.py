"""The rules of the Chrome trace format that viewers rely on, and those that the library's reports keep beside them.

broken(trace) gives what is wrong with a trace that load() has read, a text for each. Times are integers of nanoseconds.

By itself: trace_rules.py FILE.
"""

import json
import re
import sys

NEEDED = {
    'M': {'name', 'args'},
    'X': {'name', 'cat', 'ts', 'dur'},
    'i': {'name', 'cat', 'ts', 's'},
    'C': {'name', 'cat', 'ts', 'args'},
    'b': {'name', 'cat', 'ts', 'id'},
    'e': {'name', 'cat', 'ts', 'id'},
    's': {'name', 'cat', 'ts', 'id'},
    'f': {'name', 'cat', 'ts', 'id', 'bp'},
}


def nanoseconds(text):
    if not re.fullmatch(r'\d+\.\d{3}', text):
        raise ValueError(f'{text} is not in microseconds with three decimals')
    return int(text.replace('.', ''))


def load(text):
    """Strict: no NaN, no name twice in one object, every fraction a time."""
    def members(pairs):
        if len(dict(pairs)) != len(pairs):
            raise ValueError(f'a name twice in {pairs}')
        return dict(pairs)

    def constant(name):
        raise ValueError(f'{name} is no JSON')

    trace = json.loads(text, object_pairs_hook=members, parse_float=str, parse_constant=constant)
    for event in trace['traceEvents']:
        for name in ('ts', 'dur'):
            if name in event:
                event[name] = nanoseconds(event[name])
    return trace


def place(event):
    return (event['pid'], event['tid'])


def by_place(trace, phase):
    lists = {}
    for event in trace['traceEvents']:
        if event['ph'] == phase:
            lists.setdefault(place(event), []).append(event)
    return lists


def end(slice):
    return slice['ts'] + slice['dur']


def shape(trace):
    if trace.get('displayTimeUnit') != 'ns':
        yield 'displayTimeUnit is not ns'
    for name in ('writer', 'program', 'clock', 'dropped_events', 'unfinished'):
        if name not in trace['otherData']:
            yield f'{name} is missing in otherData'
    for event in trace['traceEvents']:
        missing = (NEEDED.get(event['ph'], {'a kind that is known'}) | {'pid', 'tid'}) - set(event)
        if missing:
            yield f'{missing} missing in {event}'
        if event.get('pid', 0) <= 0 or event.get('tid', 0) <= 0:
            yield f'no process or thread of {event}'
        if event['ph'] == 'i' and event['s'] not in ('t', 'p', 'g'):
            yield f'no such scope: {event}'


def metadata(trace):
    named = {}
    for event in trace['traceEvents']:
        if event['ph'] == 'M':
            who = event['pid'] if event['name'].startswith('process') else place(event)
            if (event['name'], who) in named:
                yield f'{event["name"]} of {who} twice'
            named[event['name'], who] = event['args'].get('name', event['args'].get('sort_index'))
    for event in trace['traceEvents']:
        for what in ('name', 'sort_index'):
            for who, kind in ((event['pid'], 'process'), (place(event), 'thread')):
                if named.get((f'{kind}_{what}', who)) in (None, ''):
                    yield f'no {kind}_{what} of {who}'
    titles = [value for (kind, _), value in named.items() if kind == 'process_name']
    if len(titles) != len(set(titles)):
        yield f'two processes have one name: {titles}'


def nesting(trace):
    """Each slice lies in the one around it, by the order in the file, which is that of their starts. None touches the
    end of another."""
    for slices in by_place(trace, 'X').values():
        around, latest = [], 0
        for slice in slices:
            if slice['ts'] < latest:
                yield f'{slice} begins before the one in front of it'
            latest = slice['ts']
            while around and end(around[-1]) < slice['ts']:
                around.pop()
            if around and end(slice) >= end(around[-1]):
                yield f'{slice} sticks out of {around[-1]}'
            around.append(slice)


def innermost(slices, at):
    """Linear: for small traces."""
    inside = [slice for slice in slices if slice['ts'] <= at < end(slice)]
    return inside[-1] if inside else None


def flows(trace):
    starts, slices = {}, by_place(trace, 'X')
    ended = set()
    for event in trace['traceEvents']:
        if event['ph'] not in ('s', 'f'):
            continue
        key = (event['cat'], event['name'], event['id'])
        if innermost(slices.get(place(event), []), event['ts']) is None:
            yield f'no slice around {event}'
        if event['ph'] == 's':
            if key in starts:
                yield f'the id of {event} is used already'
            starts[key] = event
            continue
        if key not in starts or key in ended:
            yield f'no start of its own for {event}'
        elif starts[key]['ts'] > event['ts']:
            yield f'{event} ends before it starts'
        if event['bp'] != 'e':
            yield f'{event} binds to the next slice'
        ended.add(key)
    for key in set(starts) - ended:
        yield f'{key} has no end'


def spans(trace):
    begun = {}
    for event in trace['traceEvents']:
        key = (event.get('cat'), event['name'], event.get('id'))
        if event['ph'] == 'b':
            if key in begun:
                yield f'{event} begins twice'
            begun[key] = event['ts']
        elif event['ph'] == 'e' and (key not in begun or event['ts'] < begun.pop(key)):
            yield f'{event} ends before it begins'
    for key in begun:
        yield f'{key} does not end'


def counters(trace):
    latest = {}
    for event in trace['traceEvents']:
        if event['ph'] != 'C':
            continue
        if list(event['args']) != ['value'] or not isinstance(event['args']['value'], int):
            yield f'no value in {event}'
        key = (event['pid'], event['name'])
        if event['ts'] < latest.get(key, 0):
            yield f'{event} goes back in time'
        latest[key] = event['ts']


def broken(trace):
    return [complaint for rule in (shape, metadata, nesting, flows, spans, counters) for complaint in rule(trace)]


if __name__ == '__main__':
    with open(sys.argv[1], encoding='utf-8') as file:
        complaints = broken(load(file.read()))
    print('\n'.join(complaints))
    sys.exit(1 if complaints else 0)
