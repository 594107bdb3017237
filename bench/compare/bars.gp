# A plot of horizontal bars, the first one on top. Set before, by compare/draw.py: script_directory, data, count, title,
# xlabel, logx, xmin. A line of the data is a bar: its name, style, median, quartiles, its text.
load script_directory . '/style.gp'
unset key
unset ylabel
set grid noytics
set style fill solid 0.85 noborder
set yrange [count - 0.4:-0.6]
if (logx) set logscale x logx
set xrange [xmin:*]
set ytics scale 0 noenhanced
set lmargin 24
set rmargin 10
set offsets 0, graph 0.1, 0, 0
colour(style) = style < 4 ? 0x999999 : style < 10 ? 0x56b4e9 : 0xd55e00
plot data using 3:0:(xmin):3:($0 - 0.34):($0 + 0.34):(colour($2)):ytic(1) with boxxyerror linecolor rgb variable, \
     data using 3:0:4:5 with xerrorbars linecolor '#222222' linewidth 1.5 pointtype 0, \
     data using 5:0:6 with labels left offset 1, 0 noenhanced textcolor '#222222'
