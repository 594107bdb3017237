# A plot of lines. Set before, by compare/draw.py: script_directory, data, count, styles, title, xlabel, ylabel, logx
# and logy (0: linear), ymin, xtics. A block of the data is a series: its name, then x, median, quartiles.
load script_directory . '/style.gp'
set key outside right center vertical Left reverse noenhanced textcolor '#222222' samplen 3 spacing 1.4
if (logx) set logscale x logx
if (logy) set logscale y logy
if (!logy) set yrange [ymin:*]
eval 'set xtics (' . xtics . ')'
set autoscale xfix
set offsets graph 0.02, graph 0.02, 0, 0
plot for [i=0:count-1] data index i using 1:2:3:4 with yerrorbars linestyle word(styles, i + 1) + 0 \
         linewidth 1 dashtype 1 pointsize 0 notitle, \
     for [i=0:count-1] data index i using 1:2 with linespoints linestyle word(styles, i + 1) + 0 title columnheader(1)
