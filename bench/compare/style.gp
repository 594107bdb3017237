# Colours that colour-blind readers tell apart (Okabe and Ito), with a point and a dash of its own for print.
# compare/draw.py gives the numbers out.
set style line 1 linecolor '#666666' linewidth 2 dashtype (12,6) pointtype 1 pointsize 0.8
set style line 2 linecolor '#999999' linewidth 2 dashtype (3,4) pointtype 2 pointsize 0.8
set style line 3 linecolor '#444444' linewidth 2 dashtype (9,4,2,4) pointtype 3 pointsize 0.8
set style line 4 linecolor '#0072b2' linewidth 2 pointtype 4 pointsize 0.9
set style line 5 linecolor '#56b4e9' linewidth 2 pointtype 6 pointsize 0.9
set style line 6 linecolor '#009e73' linewidth 2 pointtype 8 pointsize 1
set style line 7 linecolor '#cc79a7' linewidth 2 pointtype 12 pointsize 1
set style line 8 linecolor '#e69f00' linewidth 2 pointtype 10 pointsize 1
set style line 9 linecolor '#8a6d00' linewidth 2 dashtype (9,4) pointtype 14 pointsize 1
set style line 10 linecolor '#d55e00' linewidth 3.5 pointtype 7 pointsize 0.9
set style line 11 linecolor '#d55e00' linewidth 3 dashtype (10,4) pointtype 5 pointsize 0.8
set style line 12 linecolor '#d55e00' linewidth 3 dashtype (3,3) pointtype 9 pointsize 0.9

set border 3 linecolor '#444444'
set tics nomirror textcolor '#222222'
set grid linecolor '#dddddd' linewidth 1 dashtype 1
set title title noenhanced textcolor '#000000'
set xlabel xlabel noenhanced textcolor '#222222'
set ylabel ylabel noenhanced textcolor '#222222'
