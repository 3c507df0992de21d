/* ---- Dense layers in int8 ---------------------------------------------------------------------------------------- */
/* A layer of int8 weights on `count` numbers, encoded like a frame. x can be read, and codes written, up to a multiple of
   16; what stands there beyond `count` meets weights of 0. */
EK_INLINE void ek_int_dense(float *out, const float *bias, ek_matrix m, const float *x, signed char *codes,
                            const int count, const int columns, const int rows)
{
    const float step = ek_encode(codes, x, ek_peak(x, count), (count + 15) / 16 * 16);
    ek_int_rows(out, bias, m, codes, step, columns, rows);
}
