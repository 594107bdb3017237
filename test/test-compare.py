#!/usr/bin/env python3
"""test-compare.py COMPARE DRAW: what bench/compare leaves: JSON of the shape that is promised, a table with the same
figures, plots of all who have one. TAP.

COMPARE is the program, DRAW bench/compare/draw.py. Plots are skipped without gnuplot. Figures are not judged."""

import json
import os
import pathlib
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import xml.etree.ElementTree

SWEEPS = ['pi', 'regions', 'map']      # lines, bars, and points without a figure
BARS = ['regions']
MOST_SECONDS = 240
NUMBER = r'([0-9.,e-]+) ±([0-9]+)'

compare, draw = sys.argv[1:3]


def run(command, **more):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=MOST_SECONDS,
                          **more)


def measure(directory):
    ran = run([compare, '--quick', '--output', directory] + [word for key in SWEEPS for word in ('--only', key)])
    assert ran.returncode == 0, ran.stdout
    return ran.stdout


def load(directory):
    return {key: json.loads((directory / (key + '.json')).read_text()) for key in SWEEPS}


def check_figure(figure, rounds):
    assert set(figure) == {'median', 'min', 'max', 'q1', 'q3', 'n'}, figure
    assert figure['n'] == rounds, figure
    assert figure['min'] <= figure['q1'] <= figure['median'] <= figure['q3'] <= figure['max'], figure


def shape(sweeps, directory, _said):
    for key, sweep in sweeps.items():
        assert sweep['sweep'] == key and sweep['what'] and sweep['rounds'] == 1 and sweep['quick'] is True
        assert re.fullmatch(r'\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ', sweep['date']), sweep['date']
        assert sweep['command'] == 'bench/run compare --quick --only ' + key, sweep['command']
        assert sweep['machine']['cpu'] and sweep['machine']['cpus'] >= 1 and sweep['machine']['kernel']
        assert all(sweep['build'][part] for part in ('library', 'compiler', 'flags'))
        assert {rival['name'] for rival in sweep['rivals']} >= {'libuv', 'GLib', 'oneTBB', 'OpenMP', 'Go', 'Python'}
        assert (sweep['x']['name'] is None) == (key in BARS)
        assert {series['role'] for series in sweep['series']} >= {'rival', 'ours'}
        for series in sweep['series']:
            assert len({point['x'] for point in series['points']}) == len(series['points']) > 0
            for point in series['points']:
                assert point['metrics'] or point['note'], (key, series['who'], point)
                assert series['role'] != 'ours' or point['metrics'], (key, series['who'], point)
                for metric in point['metrics']:
                    check_figure(metric['figure'], sweep['rounds'])


def nobody_is_told_where(_sweeps, directory, _said):
    for path in directory.iterdir():
        if path.suffix in ('.json', '.svg', '.txt'):
            assert str(directory) not in path.read_text(), path


def table_has_the_figures(sweeps, directory, said):
    text = (directory / 'compare.txt').read_text()
    assert text.strip() in said
    for sweep in sweeps.values():
        part = text[text.index(sweep['what']):]
        metrics = {metric['what']: metric['unit'] for series in sweep['series'] for point in series['points']
                   for metric in point['metrics']}
        for metric, unit in metrics.items():
            part = part[part.index('%s, %s' % (metric, unit)):]
            lines = part.split('\n\n')[0].splitlines()
            for series in sweep['series']:
                wanted = [found['figure']['median'] for point in sorted(series['points'], key=lambda point: point['x'])
                          for found in point['metrics'] if found['what'] == metric]
                got = [line for line in lines if re.match(re.escape(series['who']) + '  ', line)]
                assert len(got) == (len(wanted) > 0), (metric, series['who'])
                shown = [float(number.replace(',', '')) for number, _ in re.findall(NUMBER, ''.join(got))]
                assert len(shown) == len(wanted), (got, wanted)
                assert all(abs(a - b) <= 0.006 * abs(b) for a, b in zip(shown, wanted)), (got, wanted)


def absent_ones_are_named(sweeps, directory, _said):
    text = (directory / 'compare.txt').read_text()
    missing = [(series['who'], point['note']) for sweep in sweeps.values() for series in sweep['series']
               for point in series['points'] if not point['metrics']]
    assert missing
    for who, note in missing:
        assert re.search('no figure: ' + re.escape(who) + '.*: ' + re.escape(note), text), (who, note)


def plots(sweeps, directory, said):
    if shutil.which('gnuplot') is None:
        assert 'no gnuplot: no plots' in said
        return 'no gnuplot'
    for key, sweep in sweeps.items():
        texts = ' '.join(xml.etree.ElementTree.parse(directory / (key + '.svg')).getroot().itertext())
        for series in sweep['series']:
            if any(point['metrics'] for point in series['points']):
                assert series['who'] in texts, (key, series['who'])
        head = (directory / (key + '.png')).read_bytes()[:24]
        assert head[:8] == b'\x89PNG\r\n\x1a\n'
        width, height = struct.unpack('>II', head[16:])
        assert width == 1600 and height > 300, (width, height)
    return None


def without_gnuplot(_sweeps, directory, _said):
    with tempfile.TemporaryDirectory() as other:
        for key in SWEEPS:
            shutil.copy(directory / (key + '.json'), other)
        ran = run([sys.executable, draw, other], env={**os.environ, 'PATH': '/nonexistent'})
        assert ran.returncode == 0 and 'no gnuplot: no plots' in ran.stdout, ran.stdout
        made = pathlib.Path(other)
        assert (made / 'compare.txt').read_text() == (directory / 'compare.txt').read_text()
        assert not list(made.glob('*.svg')) and not list(made.glob('*.png'))


def what_was_measured_before_stays(sweeps, directory, _said):
    ran = run([compare, '--quick', '--output', directory, '--only', 'pi'])
    assert ran.returncode == 0, ran.stdout
    assert sweeps['regions']['what'] in ran.stdout
    assert json.loads((directory / 'regions.json').read_text()) == sweeps['regions']


def wrong_usage(_sweeps, _directory, _said):
    for words in (['--only', 'nothing'], ['--rounds', '0'], ['--rounds', 'x'], ['--unknown'], ['word']):
        assert run([compare] + words).returncode == 2, words
    listed = run([compare, '--list']).stdout
    assert all(re.search('^%s ' % key, listed, re.M) for key in SWEEPS), listed


CASES = [shape, nobody_is_told_where, table_has_the_figures, absent_ones_are_named, plots, without_gnuplot,
         what_was_measured_before_stays, wrong_usage]


def main():
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        said = measure(directory)
        sweeps = load(directory)
        for number, case in enumerate(CASES, 1):
            skipped = None
            try:
                skipped = case(sweeps, directory, said)
                print('ok %d - %s%s' % (number, case.__name__, ' # SKIP ' + skipped if skipped else ''))
            except (AssertionError, KeyError, ValueError, OSError) as error:
                print('not ok %d - %s' % (number, case.__name__))
                print('# ' + ('%s: %s' % (type(error).__name__, error)).replace('\n', '\n# '))
    print('1..%d' % len(CASES))


main()
