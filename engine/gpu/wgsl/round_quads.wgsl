//# Quads x0 to x7, a block of 32 values, rounded to int8: low_quants and high_quants, 16 each, and quants_meta: their scale,
//# the sums of both halves, nothing.
      let most = max(max(max(largest(x0), largest(x1)), max(largest(x2), largest(x3))),
                     max(max(largest(x4), largest(x5)), max(largest(x6), largest(x7))));
      let inverse = select(0.0, 127.0 / most, most >= 0x1p-120);
#for j in 0..8
      let q${j} = round(x${j} * inverse);
#end
      let low_quants = vec4<u32>(pack4(q0), pack4(q1), pack4(q2), pack4(q3));
      let high_quants = vec4<u32>(pack4(q4), pack4(q5), pack4(q6), pack4(q7));
      let quants_meta = vec4<f32>(most / 127.0, sum4((q0 + q1) + (q2 + q3)), sum4((q4 + q5) + (q6 + q7)), 0.0);
